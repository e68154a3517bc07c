#include "process_memory.h"

#include <sys/resource.h>

#include <fstream>
#include <string>

namespace runner {

namespace {

std::optional<long long> status_bytes(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.compare(0, name.size() + 1, name + ":") == 0) {
      return std::stoll(line.substr(name.size() + 1)) * 1024;
    }
  }
  return std::nullopt;
}

}  // namespace

Resident resident() {
  Resident told{status_bytes("VmRSS"), status_bytes("VmHWM")};
  rusage usage{};
  if (!told.peak_bytes && getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss > 0) {
#ifdef __APPLE__
    told.peak_bytes = usage.ru_maxrss;
#else
    told.peak_bytes = usage.ru_maxrss * 1024LL;
#endif
  }
  return told;
}

void forget_peak() {
  // 5: the high-water mark becomes what is resident now (Linux, proc(5)).
  std::ofstream("/proc/self/clear_refs") << "5";
}

}  // namespace runner
