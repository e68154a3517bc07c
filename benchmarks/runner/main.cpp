// Times an ExecuTorch program and tells what it took: `runner --help`.

#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>

#include "json.h"
#include "options.h"
#include "process_memory.h"
#include "program.h"
#include "stream.h"
#include "tensors.h"

namespace runner {

namespace {

// Room for this many timings is made before the memory is first read, so that it is not counted as the program's.
constexpr std::size_t kTimings = 1 << 16;

struct Timings {
  std::vector<double> calls_ms;
  std::vector<double> encode_ms;    // of a stream: of each frame
  std::vector<double> classify_ms;  // of a stream: of each window

  // Written to once and emptied: what was only reserved is not resident.
  void make_room() {
    for (auto* const list : {&calls_ms, &encode_ms, &classify_ms}) {
      list->assign(kTimings, 0.0);
      list->clear();
    }
  }

  void clear() {
    calls_ms.clear();
    encode_ms.clear();
    classify_ms.clear();
  }
};

class Bench {
 public:
  explicit Bench(const Options& options) : options_(options) {
    timings_.make_room();
    set_up_runtime(options.threads);
    forget_peak();
    before_load_ = resident();
    const std::string first = options.stream() ? "encode" : options.method;
    program_ = std::make_unique<Program>(options.program, first);
    after_load_ = resident();
    const auto& shapes = program_->method(first).inputs();
    cases_ = options.cases.empty() ? std::vector<Case>{random_case(shapes, options.seed)}
                                   : read_cases(options.cases, shapes, options.stream());
    if (options.stream()) {
      stream_ = new_stream();
    }
    const double started = now_ms();
    call(cases_[0]);
    first_call_ms_ = now_ms() - started;
  }

  // One pass over all cases, each from a fresh state, and what comes of them.
  void write_outputs(Json& json) {
    json.key("outputs").open(options_.stream() ? '[' : '{');
    if (options_.stream()) {
      const auto session = new_stream();
      for (const Case& frame : cases_) {
        write(json, session->push(frame));
      }
      write(json, session->finish());
    } else {
      Method& method = program_->method(options_.method);
      for (const Case& one : cases_) {
        method.set(one.inputs);
        json.key(one.name).open('[');
        for (const auto& output : method.call()) {
          json.value(values_of(output));
        }
        json.close(']');
      }
    }
    json.close(options_.stream() ? ']' : '}');
  }

  // At least so many calls and so many seconds of them, and how many it took.
  long long warm_up(long long calls, double seconds) {
    const double end = now_ms() + seconds * 1000.0;
    long long done = 0;
    for (; done < calls || now_ms() < end; ++done) {
      call(next());
    }
    timings_.clear();
    return done;
  }

  // At least so many calls and so many seconds of them.
  void time(long long calls, double seconds) {
    double spent_ms = 0.0;
    for (long long done = 0; done < calls || spent_ms < seconds * 1000.0; ++done) {
      const Case& one = next();
      if (!options_.stream()) {
        program_->method(options_.method).set(one.inputs);
      }
      const double started = now_ms();
      if (options_.stream()) {
        call(one);
      } else {
        program_->method(options_.method).call();
      }
      timings_.calls_ms.push_back(now_ms() - started);
      spent_ms += timings_.calls_ms.back();
    }
  }

  void write_identity(Json& json) {
    json.key("program").value(options_.program);
    json.key("method").value(options_.stream() ? "stream" : options_.method.c_str());
    json.key("threads").value(static_cast<long long>(options_.threads));
#if defined(__aarch64__)
    json.key("architecture").value("aarch64");
#elif defined(__x86_64__)
    json.key("architecture").value("x86_64");
#else
    json.key("architecture").value("other");
#endif
    json.key("backends").open('[');
    for (const std::string& name : program_->backends()) {
      json.value(name);
    }
    json.close(']');
    json.key("cases").value(static_cast<long long>(cases_.size()));
    json.key("cold_load_ms").value(program_->load_ms());
    json.key("first_call_ms").value(first_call_ms_);
  }

  void write_timings(Json& json) {
    json.key("calls_ms").value(timings_.calls_ms);
    if (options_.stream()) {
      json.key("encode_ms").value(timings_.encode_ms);
      json.key("classify_ms").value(timings_.classify_ms);
    }
  }

  void write_memory(Json& json) {
    // The peak first: what follows takes memory itself.
    const auto peak = resident().peak_bytes;
    const auto arena = program_->arena_bytes();
    const auto weights = program_->weights_bytes();
    json.key("memory").open('{');
    json.key("before_load").value(before_load_.now_bytes);
    json.key("after_load").value(after_load_.now_bytes);
    json.key("peak").value(peak);
    json.key("arena_bytes").value(arena);
    json.key("weights_bytes").value(weights);
    json.key("delegate_bytes").null();
    json.close('}');
    json.key("missing").open('{');
    const char* const system = "this system does not tell a process its resident size";
    write_reason(json, "before_load", before_load_.now_bytes, system);
    write_reason(json, "after_load", after_load_.now_bytes, system);
    write_reason(json, "peak", peak, system);
    write_reason(json, "arena_bytes", arena, "the program does not describe its planned buffers");
    write_reason(json, "weights_bytes", weights, "the program stores no constants by name, and tells no size of others");
    write_reason(json, "delegate_bytes", std::nullopt, "ExecuTorch's delegates do not tell what they allocate");
    json.close('}');
  }

  void clear() { timings_.clear(); }

 private:
  static void write_reason(Json& json, const char* name, std::optional<long long> figure, const char* reason) {
    if (!figure) {
      json.key(name).value(reason);
    }
  }

  static void write(Json& json, const std::optional<Window>& window) {
    if (!window) {
      return;
    }
    json.open('{');
    json.key("first").value(window->first);
    json.key("last").value(window->last);
    json.key("coverage").value(window->coverage);
    json.key("logits");
    if (window->logits) {
      json.value(std::vector<float>(window->logits->begin(), window->logits->end()));
    } else {
      json.null();
    }
    json.close('}');
  }

  std::unique_ptr<Stream> new_stream() {
    return std::make_unique<Stream>(program_->method("encode"), program_->method("classify"), options_.hop,
                                    options_.min_coverage, options_.depth_valid);
  }

  const Case& next() {
    turn_ = (turn_ + 1) % cases_.size();
    return cases_[turn_];
  }

  void call(const Case& one) {
    if (!options_.stream()) {
      Method& method = program_->method(options_.method);
      method.set(one.inputs);
      method.call();
      return;
    }
    const auto window = stream_->push(one);
    if (!one.inputs.empty()) {
      timings_.encode_ms.push_back(stream_->encode_ms());
    }
    if (window && window->logits) {
      timings_.classify_ms.push_back(stream_->classify_ms());
    }
  }

  const Options options_;
  Timings timings_;
  Resident before_load_;
  Resident after_load_;
  std::unique_ptr<Program> program_;
  std::vector<Case> cases_;
  std::unique_ptr<Stream> stream_;
  double first_call_ms_ = 0.0;
  std::size_t turn_ = 0;
};

void print(const Json& json) {
  std::cout << json.text() << std::endl;
}

void run_once(const Options& options) {
  Bench bench(options);
  Json json;
  json.open('{');
  bench.write_identity(json);
  json.key("warm_up").value(bench.warm_up(options.warm_up, 0.0));
  bench.time(options.calls, options.seconds);
  bench.write_timings(json);
  bench.write_memory(json);
  if (options.outputs) {
    bench.write_outputs(json);
  }
  json.close('}');
  print(json);
}

void serve(const Options& options) {
  Bench bench(options);
  Json opening;
  opening.open('{');
  bench.write_identity(opening);
  if (options.outputs) {
    bench.write_outputs(opening);
  }
  opening.close('}');
  print(opening);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream fields(line);
    double seconds = 0.0;
    long long calls = 0;
    double warm_up_seconds = 0.0;
    long long warm_up_calls = 0;
    if (!(fields >> seconds >> calls >> warm_up_seconds >> warm_up_calls)) {
      throw Refusal("asked for \"" + line + "\", not for SECONDS CALLS WARM_UP_SECONDS WARM_UP_CALLS");
    }
    Json block;
    block.open('{');
    block.key("warm_up").value(bench.warm_up(warm_up_calls, warm_up_seconds));
    bench.time(calls, seconds);
    bench.write_timings(block);
    block.close('}');
    print(block);
    bench.clear();
  }
  Json closing;
  closing.open('{');
  bench.write_memory(closing);
  closing.close('}');
  print(closing);
}

}  // namespace

}  // namespace runner

int main(int count, char** words) {
  const std::vector<std::string> arguments(words + 1, words + count);
  if (arguments.size() == 1 && (arguments[0] == "--help" || arguments[0] == "-h")) {
    std::fputs(runner::kUsage, stdout);
    return 0;
  }
  try {
    const runner::Options options = runner::parse(arguments);
    if (options.serve) {
      runner::serve(options);
    } else {
      runner::run_once(options);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  }
  return 0;
}
