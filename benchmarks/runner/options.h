// The command line. Whatever is wrong about it, or about a file it names, is a Refusal: one line, exit code 2.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace runner {

class Refusal : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Options {
  std::string program;
  std::string method;        // empty: the whole stream
  std::string cases;         // file; empty: one case of random inputs
  unsigned seed = 0;
  unsigned threads = 2;
  long long calls = 1024;    // at least so many are timed
  double seconds = 10.0;     // and for at least so long
  long long warm_up = 8;
  bool outputs = false;
  bool serve = false;
  unsigned hop = 10;
  double min_coverage = 0.5;
  bool depth_valid = true;

  bool stream() const { return method.empty(); }
};

Options parse(const std::vector<std::string>& words);

extern const char* const kUsage;

}  // namespace runner
