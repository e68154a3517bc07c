// What the system says of this process's memory.
#pragma once

#include <optional>

namespace runner {

struct Resident {
  std::optional<long long> now_bytes;   // resident set
  std::optional<long long> peak_bytes;  // its largest so far
};

Resident resident();

// Begins a new peak where the system allows it; elsewhere the peak is that of the whole life of the process.
void forget_peak();

}  // namespace runner
