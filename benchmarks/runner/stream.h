// The streaming session of an app: each frame is encoded once, the last 20 embeddings are kept, and every `hop` frames
// they are classified. The rules are those of core/decision.py and core/detector.py.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "program.h"

namespace runner {

constexpr std::size_t kWindow = 20;

struct Window {
  long long first;  // frame, counted from 0
  long long last;
  double coverage;
  std::optional<std::array<float, 2>> logits;  // nothing where it is not decided
};

class Stream {
 public:
  // Refusal where the methods are not those of a student.
  Stream(Method& encode, Method& classify, unsigned hop, double min_coverage, bool depth_valid);

  // A frame's pixels, nothing where no face was found. The window that it closes, if it closes one.
  std::optional<Window> push(const Case& frame);
  // The last window, if there are frames that none has seen.
  std::optional<Window> finish();

  // Of the last push: milliseconds of each stage, 0 where it was not run.
  double encode_ms() const { return encode_ms_; }
  double classify_ms() const { return classify_ms_; }

 private:
  Window close();

  Method& encode_;
  Method& classify_;
  const unsigned hop_;
  const double min_coverage_;
  const bool depth_valid_;
  const std::size_t width_;
  std::vector<float> rgb_;    // ring: kWindow rows of width_
  std::vector<float> depth_;
  std::array<bool, kWindow> seen_{};
  long long frames_ = 0;
  double encode_ms_ = 0.0;
  double classify_ms_ = 0.0;
};

}  // namespace runner
