/* resnet20.h: a ResNet-20 (He et al. 2015, Deep Residual Learning) for small grey pictures, and the clothes of
   Fashion-MNIST that it tells apart. Shared by fashion_mnist.c, which trains it, and predict.cpp, which uses it. */
#ifndef RESNET20_H
#define RESNET20_H

#include <sasuka.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PICTURE_SIDE = 28, PICTURE_PIXELS = PICTURE_SIDE * PICTURE_SIDE, CLASSES = 10 };

extern const char *const class_names[CLASSES];

/* A fresh network: [batch, 1, 28, 28] -> logits [batch, 10]. `threads` 0: one for each processor. */
sasuka_status resnet20_create(uint64_t seed, int32_t threads, sasuka_model **model);

/* A pixel of 0 to 255 as the network wants it: the training pictures' mean 0, their standard deviation 1. */
float normalised_pixel(uint8_t pixel);

/* Turns logits [10] into probabilities in place and returns the likeliest class. */
int softmax(float *logits);

#ifdef __cplusplus
}
#endif

#endif
