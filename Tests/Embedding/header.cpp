// The header as a C++11 compiler sees it: the same checks, and linkage as C.
#include "header.c"
