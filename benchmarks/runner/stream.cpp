#include "stream.h"

#include <algorithm>

#include "options.h"

namespace runner {

namespace {

std::size_t embedding_width(const Method& encode, const Method& classify) {
  const auto& shapes = classify.inputs();
  const bool fits = encode.inputs().size() == 1 && shapes.size() == 4 && shapes[0].size() == 3 &&
                    shapes[0][1] == static_cast<int>(kWindow) && shapes[1] == shapes[0] &&
                    count(shapes[2]) == kWindow && count(shapes[3]) == kWindow;
  if (!fits) {
    throw Refusal("--stream: encode and classify do not have a student's inputs");
  }
  return static_cast<std::size_t>(shapes[0][2]);
}

void copy_row(const executorch::runtime::EValue& output, std::vector<float>& ring, std::size_t row, std::size_t width) {
  const auto& tensor = output.toTensor();
  if (static_cast<std::size_t>(tensor.numel()) != width) {
    throw Refusal("--stream: encode's embeddings are not as wide as classify takes them");
  }
  std::copy_n(tensor.const_data_ptr<float>(), width, ring.begin() + static_cast<std::ptrdiff_t>(row * width));
}

}  // namespace

Stream::Stream(Method& encode, Method& classify, unsigned hop, double min_coverage, bool depth_valid)
    : encode_(encode),
      classify_(classify),
      hop_(hop),
      min_coverage_(min_coverage),
      depth_valid_(depth_valid),
      width_(embedding_width(encode, classify)),
      rgb_(kWindow * width_),
      depth_(kWindow * width_) {}

std::optional<Window> Stream::push(const Case& frame) {
  const auto row = static_cast<std::size_t>(frames_) % kWindow;
  seen_[row] = !frame.inputs.empty();
  encode_ms_ = classify_ms_ = 0.0;
  if (seen_[row]) {
    const double started = now_ms();
    encode_.set(frame.inputs);
    const auto& outputs = encode_.call();
    if (outputs.size() < 2) {
      throw Refusal("--stream: encode gives no two embeddings");
    }
    copy_row(outputs[0], rgb_, row, width_);
    copy_row(outputs[1], depth_, row, width_);
    encode_ms_ = now_ms() - started;
  }
  ++frames_;
  const bool closes = frames_ >= static_cast<long long>(kWindow) && (frames_ - kWindow) % hop_ == 0;
  return closes ? std::optional(close()) : std::nullopt;
}

std::optional<Window> Stream::finish() {
  const bool closed = frames_ >= static_cast<long long>(kWindow) && (frames_ - kWindow) % hop_ == 0;
  return frames_ == 0 || closed ? std::nullopt : std::optional(close());
}

Window Stream::close() {
  const auto slots = std::min<long long>(frames_, kWindow);
  const auto first = frames_ - slots;
  long long valid = 0;
  for (long long frame = first; frame < frames_; ++frame) {
    valid += seen_[static_cast<std::size_t>(frame) % kWindow] ? 1 : 0;
  }
  Window window{first, frames_ - 1, static_cast<double>(valid) / static_cast<double>(slots), std::nullopt};
  if (window.coverage < min_coverage_) {
    return window;
  }
  const double started = now_ms();
  for (std::size_t place = 0; place < 4; ++place) {
    std::fill(classify_.input(place).begin(), classify_.input(place).end(), 0.0f);
  }
  for (long long frame = first; frame < frames_; ++frame) {
    const auto row = static_cast<std::size_t>(frame) % kWindow;
    if (!seen_[row]) {
      continue;
    }
    // The newest frame has the last slot; before 20 frames the first slots are invalid.
    const auto slot = kWindow - static_cast<std::size_t>(frames_ - frame);
    const auto from = static_cast<std::ptrdiff_t>(row * width_), to = static_cast<std::ptrdiff_t>(slot * width_);
    std::copy_n(rgb_.begin() + from, width_, classify_.input(0).begin() + to);
    std::copy_n(depth_.begin() + from, width_, classify_.input(1).begin() + to);
    classify_.input(2)[slot] = 1.0f;
    classify_.input(3)[slot] = depth_valid_ ? 1.0f : 0.0f;
  }
  const Values logits = values_of(classify_.call()[0]);
  if (logits.size() != 2) {
    throw Refusal("--stream: classify does not give two logits");
  }
  window.logits = {logits[0], logits[1]};
  classify_ms_ = now_ms() - started;
  return window;
}

}  // namespace runner
