#include "options.h"

#include <cstdlib>

namespace runner {

const char* const kUsage =
    R"(runner PROGRAM.pte (--method NAME | --stream) [...]: time a program, print one JSON document

  --method NAME       one method, such as encode, classify or forward
  --stream            the whole session: encode each frame, keep 20, classify once a hop; a call is a frame
  --cases FILE        inputs: a line a case (a stream: a frame), tab-separated: its name, then a file of little-endian
                      float32 for each input; a frame of a stream without a file shows no face
  --seed N            random inputs where there are no cases: pixels 0-255, embeddings 0-1, masks all valid [0]
  --threads N         [2]
  --calls N           timed calls at least [1024]
  --seconds S         and timed seconds at least [10]
  --warm-up N         calls before those [8]
  --outputs           also what each case gives, or each window of the stream
  --serve             load, tell of it; then for every line "SECONDS CALLS WARM_UP_SECONDS WARM_UP_CALLS" on stdin a
                      block of at least so many calls; at the end of stdin the memory: one JSON document a line
  --hop N             frames between two windows of a stream [10]
  --min-coverage X    share of valid frames below which a window is not decided [0.5]
  --depth-valid 0|1   whether the depth embedding of a face counts [1]
)";

namespace {

double number(const std::string& flag, const std::string& text, double least, double most) {
  char* end = nullptr;
  const double parsed = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(parsed >= least && parsed <= most)) {
    throw Refusal(flag + " " + text + ": not a number that is allowed there; type runner --help");
  }
  return parsed;
}

long long whole(const std::string& flag, const std::string& text, long long least, long long most) {
  const double parsed = number(flag, text, static_cast<double>(least), static_cast<double>(most));
  if (parsed != static_cast<double>(static_cast<long long>(parsed))) {
    throw Refusal(flag + " " + text + ": not a whole number");
  }
  return static_cast<long long>(parsed);
}

}  // namespace

Options parse(const std::vector<std::string>& words) {
  Options options;
  bool stream = false;
  for (std::size_t place = 0; place < words.size(); ++place) {
    const std::string& word = words[place];
    const auto next = [&]() -> const std::string& {
      if (place + 1 == words.size()) {
        throw Refusal(word + ": lacks its value; type runner --help");
      }
      return words[++place];
    };
    if (word == "--method") {
      options.method = next();
    } else if (word == "--stream") {
      stream = true;
    } else if (word == "--cases") {
      options.cases = next();
    } else if (word == "--seed") {
      options.seed = static_cast<unsigned>(whole(word, next(), 0, 1LL << 31));
    } else if (word == "--threads") {
      options.threads = static_cast<unsigned>(whole(word, next(), 1, 256));
    } else if (word == "--calls") {
      options.calls = whole(word, next(), 0, 1LL << 40);
    } else if (word == "--seconds") {
      options.seconds = number(word, next(), 0.0, 1e6);
    } else if (word == "--warm-up") {
      options.warm_up = whole(word, next(), 0, 1LL << 40);
    } else if (word == "--outputs") {
      options.outputs = true;
    } else if (word == "--serve") {
      options.serve = true;
    } else if (word == "--hop") {
      options.hop = static_cast<unsigned>(whole(word, next(), 1, 20));
    } else if (word == "--min-coverage") {
      options.min_coverage = number(word, next(), 0.0, 1.0);
    } else if (word == "--depth-valid") {
      options.depth_valid = whole(word, next(), 0, 1) == 1;
    } else if (!word.empty() && word[0] == '-') {
      throw Refusal(word + ": no such flag; type runner --help");
    } else if (options.program.empty()) {
      options.program = word;
    } else {
      throw Refusal(word + ": one program at a time; type runner --help");
    }
  }
  if (options.program.empty()) {
    throw Refusal("no program given; type runner --help");
  }
  if (stream == !options.method.empty()) {
    throw Refusal("give either --method NAME or --stream; type runner --help");
  }
  return options;
}

}  // namespace runner
