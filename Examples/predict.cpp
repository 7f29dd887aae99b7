// predict: names the clothes on pictures with the weights that fashion_mnist saved.
// Usage: predict WEIGHTS.safetensors IMAGES-idx3-ubyte [COUNT]
#include "idx.h"
#include "resnet20.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

void check(sasuka_status status) {
  if (status != SASUKA_OK) throw std::runtime_error(std::string(sasuka_status_name(status)) + ": " + sasuka_last_error());
}

struct DestroyModel {
  void operator()(sasuka_model *model) const { sasuka_model_destroy(model); }
};
using Model = std::unique_ptr<sasuka_model, DestroyModel>;

Model load(const char *weights) {
  sasuka_model *created = nullptr;
  check(resnet20_create(0, 0, &created));
  Model model(created);
  check(sasuka_model_load_weights(model.get(), weights, nullptr));
  return model;
}

struct Pictures {
  idx_array array;
  explicit Pictures(const char *path) {
    char message[4352];
    if (!idx_read(path, 3, &array, message, sizeof message)) throw std::runtime_error(message);
  }
  ~Pictures() { idx_free(&array); }
  Pictures(const Pictures &) = delete;
  Pictures &operator=(const Pictures &) = delete;
};

void predict(const char *weights, const char *images, std::size_t most) {
  Model model = load(weights);
  Pictures pictures(images);
  const std::size_t *sizes = pictures.array.sizes;
  if (sizes[1] != PICTURE_SIDE || sizes[2] != PICTURE_SIDE) throw std::runtime_error("pictures must be 28 x 28");
  std::size_t count = std::min(sizes[0], most);

  std::vector<float> batch(count * PICTURE_PIXELS), logits(count * CLASSES);
  std::transform(pictures.array.bytes, pictures.array.bytes + batch.size(), batch.begin(), normalised_pixel);
  const int64_t input_shape[] = {static_cast<int64_t>(count), 1, PICTURE_SIDE, PICTURE_SIDE};
  const int64_t output_shape[] = {static_cast<int64_t>(count), CLASSES};
  sasuka_tensor input = {batch.data(), SASUKA_FLOAT32, 4, input_shape, nullptr};
  sasuka_tensor output = {logits.data(), SASUKA_FLOAT32, 2, output_shape, nullptr};
  check(sasuka_model_forward(model.get(), &input, &output));

  for (std::size_t i = 0; i < count; i++) {
    float *probabilities = logits.data() + i * CLASSES;
    int likeliest = softmax(probabilities);
    std::printf("%zu: %s (%.4f)\n", i, class_names[likeliest], static_cast<double>(probabilities[likeliest]));
  }
}

}  // namespace

int main(int count, char **arguments) {
  long most = count == 4 ? std::strtol(arguments[3], nullptr, 10) : 10;
  if (count < 3 || count > 4 || most < 1 || most > 1000) {
    std::fputs("usage: predict WEIGHTS.safetensors IMAGES-idx3-ubyte [COUNT, at most 1000]\n", stderr);
    return 2;
  }
  try {
    predict(arguments[1], arguments[2], static_cast<std::size_t>(most));
  } catch (const std::exception &error) {
    std::fprintf(stderr, "predict: %s\n", error.what());
    return 1;
  }
  return 0;
}
