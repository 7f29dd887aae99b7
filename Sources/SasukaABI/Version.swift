// The library's version and the version of its ABI. Functions have the names of the header.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import SasukaHeader

/// The version of the library, as text that lives as long as the library is loaded.
@_cdecl("sasuka_version") @implementation
public func sasuka_version() -> UnsafePointer<CChar>? {
  let text: StaticString = "0.1.0"
  return UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}

/// The version of the ABI that this library implements; bindings compare it with the one they were written for.
@_cdecl("sasuka_abi_version") @implementation
public func sasuka_abi_version() -> UInt32 {
  UInt32(SASUKA_ABI_VERSION)
}
