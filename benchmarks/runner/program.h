// A loaded ExecuTorch program.
#pragma once

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tensors.h"

namespace runner {

// A method with input tensors of its own, to be filled before each call. All values are float32.
class Method {
 public:
  const std::string& name() const { return name_; }
  const std::vector<Shape>& inputs() const { return shapes_; }

  // Copies the values in, as an app would that fills the tensors anew for each frame.
  void set(const std::vector<Values>& values);
  Values& input(std::size_t place) { return values_[place]; }

  // Runs on what the inputs hold; the outputs are valid until the next call.
  const std::vector<executorch::runtime::EValue>& call();

 private:
  friend class Program;
  Method(executorch::extension::Module& module, std::string name);

  executorch::extension::Module& module_;
  std::string name_;
  std::vector<Shape> shapes_;
  std::vector<Values> values_;
  std::vector<executorch::extension::TensorPtr> tensors_;
  std::vector<executorch::runtime::EValue> arguments_;
  std::vector<executorch::runtime::EValue> outputs_;
};

class Program {
 public:
  // Loads the file with all its methods, as an app does that needs them all, one of them first: packing the largest
  // takes its size twice for a moment, which should not come on top of the others. Refusal where it is no program, or
  // has no method of that name.
  Program(const std::string& file, const std::string& first);

  Method& method(const std::string& name);  // Refusal where there is none of that name
  double load_ms() const { return load_ms_; }
  // Bytes that the exporter planned for activations, over all methods.
  std::optional<long long> arena_bytes();
  // Constants that the file stores by name, which is where delegates have theirs; nothing where there are none.
  std::optional<long long> weights_bytes();
  std::vector<std::string> backends();

 private:
  std::unique_ptr<executorch::extension::Module> module_;
  std::vector<std::unique_ptr<Method>> methods_;
  double load_ms_ = 0.0;
};

// The values of an output.
Values values_of(const executorch::runtime::EValue& output);

// To be called once, before a program is loaded: the runtime's threads, and silence but for what is thrown.
void set_up_runtime(unsigned threads);

double now_ms();

}  // namespace runner
