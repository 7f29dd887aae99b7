// A C++ host: owners with deleters, errors as exceptions, and threads of its own that share one model.
// Usage: host_cpp
#include "sasuka.h"

#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

template <typename T, void (*destroy)(T *)> struct Destroy {
  void operator()(T *object) const { destroy(object); }
};
using Graph = std::unique_ptr<sasuka_graph, Destroy<sasuka_graph, sasuka_graph_destroy>>;
using Model = std::unique_ptr<sasuka_model, Destroy<sasuka_model, sasuka_model_destroy>>;
using Session = std::unique_ptr<sasuka_session, Destroy<sasuka_session, sasuka_session_destroy>>;

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void check(sasuka_status status) {
  if (status != SASUKA_OK) throw Error(sasuka_last_error());
}

constexpr int64_t kSide = 24, kClasses = 5;

Model make_model() {
  const int64_t shape[3] = {3, kSide, kSide};
  sasuka_graph *raw = nullptr;
  sasuka_value x = 0;
  check(sasuka_graph_create(shape, 3, &raw, &x));
  Graph graph(raw);
  check(sasuka_graph_convolution(raw, x, "conv", 12, 3, 3, nullptr, &x));
  check(sasuka_graph_activation(raw, x, nullptr, SASUKA_RELU, 0, &x));
  check(sasuka_graph_flatten(raw, x, nullptr, 1, &x));
  check(sasuka_graph_linear(raw, x, "fc", kClasses, true, &x));
  check(sasuka_graph_set_output(raw, x));
  sasuka_model *model = nullptr;
  check(sasuka_model_create_from_graph(raw, nullptr, &model));
  return Model(model);
}

std::vector<float> logits(sasuka_model *model, int batch) {
  const int64_t shape[4] = {batch, 3, kSide, kSide};
  sasuka_session *raw = nullptr;
  check(sasuka_session_create(model, shape, 4, nullptr, &raw));
  Session session(raw);
  std::vector<float> pixels(static_cast<size_t>(batch * 3 * kSide * kSide)), result(static_cast<size_t>(batch * kClasses));
  for (size_t place = 0; place < pixels.size(); ++place) pixels[place] = static_cast<float>(place % 17) - 8;
  const int64_t output_shape[2] = {batch, kClasses};
  const sasuka_tensor input = {pixels.data(), SASUKA_FLOAT32, 4, shape, nullptr};
  sasuka_tensor output = {result.data(), SASUKA_FLOAT32, 2, output_shape, nullptr};
  for (int run = 0; run < 20; ++run) check(sasuka_session_run(session.get(), &input, &output));
  return result;
}

void expect(bool condition, const char *what) {
  if (!condition) throw Error(std::string("expected: ") + what);
}

}  // namespace

int main() try {
  Model model = make_model();
  const std::vector<float> alone = logits(model.get(), 3);

  std::vector<std::vector<float>> results(8);
  std::vector<std::string> errors(results.size());
  std::vector<std::thread> threads;
  for (size_t place = 0; place < results.size(); ++place) {
    threads.emplace_back([&, place] {
      try {
        results[place] = logits(model.get(), 3);
        // Each thread has an error of its own.
        const std::string name = "thread" + std::to_string(place);
        sasuka_model *missing = nullptr;
        expect(sasuka_model_create(name.c_str(), nullptr, &missing) == SASUKA_NOT_FOUND, "no such architecture");
        std::this_thread::yield();
        expect(std::strstr(sasuka_last_error(), name.c_str()) != nullptr, "this thread's own message");
      } catch (const std::exception &error) {
        errors[place] = error.what();
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  for (const std::string &error : errors) expect(error.empty(), error.c_str());
  for (const std::vector<float> &result : results) expect(result == alone, "the same logits in every thread");

  bool thrown = false;
  try {
    check(sasuka_model_load_weights(model.get(), "/nowhere/weights.safetensors", nullptr));
  } catch (const Error &error) {
    thrown = std::strstr(error.what(), "/nowhere/weights.safetensors") != nullptr;
  }
  expect(thrown, "an exception that names the missing file");
  std::puts("host.cpp: 8 threads, one model, the same logits; errors stay with their threads");
  return 0;
} catch (const std::exception &error) {
  std::fprintf(stderr, "host.cpp: %s\n", error.what());
  return 1;
}
