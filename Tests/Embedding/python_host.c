/* A C host that uses the library itself and runs a Python interpreter whose package uses the same loaded copy, twice.
   Usage: python_host LIBRARY PACKAGE SITE_PACKAGES */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "sasuka.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const script =
    "import numpy, sasuka\n"
    "graph = sasuka.Graph((3, 8, 8))\n"
    "x = graph.conv2d(graph.input, 'conv', 4, 3)\n"
    "model = graph.model(graph.linear(graph.flatten(x), 'fc', 2))\n"
    "logits = model(numpy.ones((2, 3, 8, 8), numpy.float32))\n"
    "assert logits.shape == (2, 2) and numpy.isfinite(logits).all()\n"
    "try:\n"
    "    sasuka.create_model('no_such_net')\n"
    "except sasuka.SasukaError as error:\n"
    "    assert 'no_such_net' in str(error)\n"
    "else:\n"
    "    raise AssertionError('no error')\n";

static int use_from_c(void) {
  sasuka_model *model = NULL;
  if (sasuka_model_create("cifar_resnet20", NULL, &model) != SASUKA_OK) {
    fprintf(stderr, "python_host: %s\n", sasuka_last_error());
    return 0;
  }
  sasuka_model_destroy(model);
  return 1;
}

int main(int count, char **arguments) {
  if (count != 4) {
    fprintf(stderr, "usage: %s LIBRARY PACKAGE SITE_PACKAGES\n", arguments[0]);
    return 2;
  }
  setenv("SASUKA_LIBRARY", arguments[1], 1);
  char paths[8192];
  snprintf(paths, sizeof paths, "import sys; sys.path[:0] = [r'%s', r'%s']", arguments[2], arguments[3]);
  if (!use_from_c()) return 1;
  Py_Initialize();
  int failed = PyRun_SimpleString(paths) != 0 || PyRun_SimpleString(script) != 0 || !use_from_c() ||
               PyRun_SimpleString(script) != 0;
  if (Py_FinalizeEx() != 0) failed = 1;
  if (failed || !use_from_c()) return 1;
  puts("python_host.c: C and an embedded Python share the library, before, during and after the interpreter");
  return 0;
}
