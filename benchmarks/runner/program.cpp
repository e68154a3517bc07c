#include "program.h"

#include <executorch/runtime/platform/platform.h>
#include <executorch/runtime/platform/runtime.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "options.h"

// The wheel ships the thread pool's library without its header; these are its exported symbols.
namespace executorch::extension::threadpool {
class ThreadPool {
 public:
  bool _unsafe_reset_threadpool(std::uint32_t threads);
};
ThreadPool* get_threadpool();
}  // namespace executorch::extension::threadpool

namespace runner {

using executorch::extension::Module;
using executorch::runtime::Error;
using executorch::runtime::EValue;

namespace {

Shape shape_of(const executorch::runtime::TensorInfo& info) {
  const auto sizes = info.sizes();
  return Shape(sizes.begin(), sizes.end());
}

// Makes the load a cold one: pages of the file that the system keeps are given up where it allows that.
void forget_file(const std::string& file) {
#ifdef POSIX_FADV_DONTNEED
  const int descriptor = ::open(file.c_str(), O_RDONLY);
  if (descriptor >= 0) {
    ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
    ::close(descriptor);
  }
#endif
}

void silence(et_timestamp_t, et_pal_log_level_t, const char*, const char*, std::size_t, const char*, std::size_t) {}

}  // namespace

double now_ms() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double, std::milli>(Clock::now().time_since_epoch()).count();
}

void set_up_runtime(unsigned threads) {
  executorch::runtime::register_pal(executorch::runtime::PalImpl::create(silence, __FILE__));
  executorch::runtime::runtime_init();
  auto* const pool = executorch::extension::threadpool::get_threadpool();
  if (pool == nullptr || !pool->_unsafe_reset_threadpool(threads)) {
    throw Refusal("--threads " + std::to_string(threads) + ": the runtime cannot have so many");
  }
}

Values values_of(const EValue& output) {
  const auto& tensor = output.toTensor();
  const float* const first = tensor.const_data_ptr<float>();
  return Values(first, first + tensor.numel());
}

Method::Method(Module& module, std::string name) : module_(module), name_(std::move(name)) {
  auto meta = module_.method_meta(name_);
  if (!meta.ok()) {
    throw Refusal(name_ + ": no description of its inputs");
  }
  for (std::size_t place = 0; place < meta->num_inputs(); ++place) {
    auto info = meta->input_tensor_meta(place);
    if (!info.ok() || info->scalar_type() != executorch::aten::ScalarType::Float) {
      throw Refusal(name_ + ": input " + std::to_string(place) + " is no float32 tensor");
    }
    shapes_.push_back(shape_of(*info));
    values_.emplace_back(count(shapes_.back()), 0.0f);
  }
  for (std::size_t place = 0; place < meta->num_outputs(); ++place) {
    auto info = meta->output_tensor_meta(place);
    if (!info.ok() || info->scalar_type() != executorch::aten::ScalarType::Float) {
      throw Refusal(name_ + ": output " + std::to_string(place) + " is no float32 tensor");
    }
  }
  for (std::size_t place = 0; place < shapes_.size(); ++place) {
    tensors_.push_back(executorch::extension::from_blob(values_[place].data(), shapes_[place]));
    arguments_.emplace_back(tensors_.back());
  }
}

void Method::set(const std::vector<Values>& values) {
  for (std::size_t place = 0; place < values_.size(); ++place) {
    std::copy(values[place].begin(), values[place].end(), values_[place].begin());
  }
}

const std::vector<EValue>& Method::call() {
  auto result = module_.execute(name_, arguments_);
  if (!result.ok()) {
    throw Refusal(name_ + ": failed with ExecuTorch's error " + std::to_string(static_cast<int>(result.error())));
  }
  outputs_ = std::move(*result);
  return outputs_;
}

Program::Program(const std::string& file, const std::string& first) {
  forget_file(file);
  const double started = now_ms();
  // Read, not mapped: mapped pages that the delegate has long packed into its own layout would count as resident.
  module_ = std::make_unique<Module>(file, Module::LoadMode::File);
  if (module_->load() != Error::Ok) {
    throw Refusal(file + ": not a program that this ExecuTorch can load");
  }
  std::vector<std::string> names;
  for (std::size_t place = 0; place < module_->program()->num_methods(); ++place) {
    auto name = module_->program()->get_method_name(place);
    if (!name.ok()) {
      throw Refusal(file + ": does not tell its methods");
    }
    names.emplace_back(*name);
  }
  if (std::find(names.begin(), names.end(), first) == names.end()) {
    std::string known;
    for (const std::string& name : names) {
      known += (known.empty() ? "" : ", ") + name;
    }
    throw Refusal(file + ": has no method " + first + "; it has " + known);
  }
  std::stable_partition(names.begin(), names.end(), [&](const std::string& name) { return name == first; });
  for (const std::string& name : names) {
    const Error error = module_->load_method(name);
    if (error != Error::Ok) {
      throw Refusal(file + ": " + name + " cannot be loaded, ExecuTorch's error " +
                    std::to_string(static_cast<int>(error)));
    }
  }
  load_ms_ = now_ms() - started;
  for (const std::string& name : names) {
    methods_.emplace_back(new Method(*module_, name));
  }
}

Method& Program::method(const std::string& name) {
  for (const auto& one : methods_) {
    if (one->name() == name) {
      return *one;
    }
  }
  throw Refusal("the program has no method " + name);
}

std::optional<long long> Program::arena_bytes() {
  long long sum = 0;
  for (const auto& method : methods_) {
    auto meta = module_->method_meta(method->name());
    if (!meta.ok()) {
      return std::nullopt;
    }
    for (std::size_t place = 0; place < meta->num_memory_planned_buffers(); ++place) {
      auto size = meta->memory_planned_buffer_size(place);
      if (!size.ok()) {
        return std::nullopt;
      }
      sum += *size;
    }
  }
  return sum;
}

std::optional<long long> Program::weights_bytes() {
  auto map = module_->program()->get_named_data_map();
  if (!map.ok() || *map == nullptr) {
    return std::nullopt;
  }
  auto keys = (*map)->get_num_keys();
  if (!keys.ok() || *keys == 0) {
    return std::nullopt;
  }
  long long sum = 0;
  for (std::uint32_t place = 0; place < *keys; ++place) {
    auto key = (*map)->get_key(place);
    if (!key.ok()) {
      return std::nullopt;
    }
    auto data = (*map)->get_data(*key);
    if (!data.ok()) {
      return std::nullopt;
    }
    sum += static_cast<long long>(data->size());
    data->Free();
  }
  return sum;
}

std::vector<std::string> Program::backends() {
  std::vector<std::string> names;
  for (const auto& method : methods_) {
    auto meta = module_->method_meta(method->name());
    for (std::size_t place = 0; meta.ok() && place < meta->num_backends(); ++place) {
      auto name = meta->get_backend_name(place);
      if (name.ok() && std::find(names.begin(), names.end(), *name) == names.end()) {
        names.emplace_back(*name);
      }
    }
  }
  return names;
}

}  // namespace runner
