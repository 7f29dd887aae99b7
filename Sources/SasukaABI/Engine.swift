// The door and the engine are one module in the shipped library, two in the tests.

#if !hasFeature(Embedded)
  @_exported import Sasuka
#endif
