// What every door function goes through: errors become status codes, handles become objects, options become values.
import CSystem
import SasukaHeader

/// Runs a door function's body and turns what it throws into a status and the thread's last message.
func guarded(_ body: () throws(SasukaError) -> Void) -> sasuka_status {
  do {
    try body()
    return 0
  } catch {
    LastError.remember(error.message)
    return error.code.rawValue
  }
}

/// The last message of each thread. The C library frees it when the thread ends.
enum LastError {
  fileprivate static let key: pthread_key_t? = {
    var key = pthread_key_t()
    return sasuka_make_thread_key(&key) == 0 ? key : nil
  }()

  static func remember(_ message: String) {
    guard let key else { return }
    let old = pthread_getspecific(key)
    var utf8 = message.utf8CString
    let text = utf8.withUnsafeMutableBufferPointer { strdup($0.baseAddress!) }
    pthread_setspecific(key, text)
    free(old)
  }

  static var text: UnsafePointer<CChar>? {
    guard let key, let text = pthread_getspecific(key) else { return staticText("") }
    return UnsafePointer(text.assumingMemoryBound(to: CChar.self))
  }
}

#if hasFeature(Embedded)
  /// Gives the key back when the library is unloaded, so that a host can load and unload it as often as it likes.
  @section(".fini_array") @used
  private let giveBackKey: @convention(c) () -> Void = {
    if let key = LastError.key {
      free(pthread_getspecific(key))
      pthread_key_delete(key)
    }
  }
#endif

/// Text that lives as long as the library.
func staticText(_ text: StaticString) -> UnsafePointer<CChar>? {
  UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}

/// The object behind a handle.
///
/// - Throws: `invalidArgument` for NULL.
func object<Object: AnyObject>(_ handle: OpaquePointer?, _ type: Object.Type, _ what: StaticString) throws(SasukaError)
  -> Object
{
  guard let handle else { throw SasukaError(.invalidArgument, "\(what) is NULL") }
  return Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
}

/// A handle that owns its object until `release`.
func handle(_ object: AnyObject) -> OpaquePointer { OpaquePointer(Unmanaged.passRetained(object).toOpaque()) }

func release<Object: AnyObject>(_ handle: OpaquePointer?, _ type: Object.Type) {
  guard let handle else { return }
  Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).release()
}

/// A pointer that must not be NULL.
func required<Pointer>(_ pointer: Pointer?, _ what: StaticString) throws(SasukaError) -> Pointer {
  guard let pointer else { throw SasukaError(.invalidArgument, "\(what) is NULL") }
  return pointer
}

func text(_ pointer: UnsafePointer<CChar>?, _ what: StaticString) throws(SasukaError) -> String {
  String(cString: try required(pointer, what))
}

/// Most texts of a list: no network has more layers.
private let mostTexts = 1 << 16

/// A list of names.
func texts(
  _ list: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int, _ what: StaticString
) throws(SasukaError) -> [String] {
  guard count >= 0, count <= mostTexts else {
    throw SasukaError(.invalidArgument, "\(count) \(what); 0 to \(mostTexts) are expected")
  }
  var texts: [String] = []
  guard count > 0 else { return texts }
  let given = try required(list, what)
  for place in 0..<count { texts.append(try text(given[place], what)) }
  return texts
}

/// Fills a caller's struct, as far as it reaches; whether that could be done.
@discardableResult
func fillOptions<Options>(_ options: UnsafeMutablePointer<Options>?, _ size: Int, _ defaults: Options) -> Bool {
  guard let options, size >= MemoryLayout<Int>.size, size <= largestOptions else { return false }
  memset(options, 0, size)
  _ = withUnsafeBytes(of: defaults) { memcpy(options, $0.baseAddress!, min(size, $0.count)) }
  UnsafeMutableRawPointer(options).storeBytes(of: size, as: Int.self)
  return true
}

/// No options struct will ever be so large: what says so was never filled.
private let largestOptions = 1 << 16

/// The caller's options laid over the defaults, as far as the caller's struct_size reaches.
func readOptions<Options: BitwiseCopyable>(
  _ given: UnsafePointer<Options>?, defaults: Options, _ what: StaticString
) throws(SasukaError) -> Options {
  var result = defaults
  try layOptions(given, over: &result, MemoryLayout<Options>.size, what)
  return result
}

/// What `readOptions` does for options of `expected` bytes, whatever their type.
@inline(never)
private func layOptions(
  _ given: UnsafeRawPointer?, over result: UnsafeMutableRawPointer, _ expected: Int, _ what: StaticString
) throws(SasukaError) {
  guard let given else { return }
  let size = given.load(as: Int.self)
  guard size >= MemoryLayout<Int>.size, size <= largestOptions else {
    throw SasukaError(
      .invalidArgument, "\(what)->struct_size is \(size); \(expected) is expected, which _init sets")
  }
  memcpy(result, given, min(size, expected))
}

/// An enumerator of the header as its Swift twin.
func enumerator<Twin: RawRepresentable>(
  _ raw: Int32, _ type: Twin.Type, _ what: StaticString
) throws(SasukaError) -> Twin where Twin.RawValue == Int32 {
  guard let twin = Twin(rawValue: raw) else {
    throw SasukaError(.invalidArgument, "\(what) is \(raw), which is none of its constants")
  }
  return twin
}

/// A shape that came as an array.
func readShape(_ sizes: UnsafePointer<Int64>?, _ rank: Int32, _ what: StaticString) throws(SasukaError) -> Shape {
  guard rank >= 0, rank <= SASUKA_MAX_RANK else {
    throw SasukaError(.invalidArgument, "\(what) has rank \(rank); 0 to \(SASUKA_MAX_RANK) is expected")
  }
  var dimensions = [Int](repeating: 0, count: Int(rank))
  if rank > 0 {
    let sizes = try required(sizes, what)
    for axis in dimensions.indices { dimensions[axis] = Int(sizes[axis]) }
  }
  return try Shape(checking: dimensions, of: "\(what)")
}

/// Writes a shape where the caller has room for `rank` sizes, and its rank.
func write(
  _ shape: Shape, _ sizes: UnsafeMutablePointer<Int64>?, _ rank: UnsafeMutablePointer<Int32>?
) throws(SasukaError) {
  let (sizes, rank) = (try required(sizes, "shape"), try required(rank, "rank"))
  guard Int(rank.pointee) >= shape.rank else {
    throw SasukaError(.bufferTooSmall, "room for \(rank.pointee) sizes; shape \(shape) has \(shape.rank)")
  }
  for axis in 0..<shape.rank { sizes[axis] = Int64(shape[axis]) }
  rank.pointee = Int32(shape.rank)
}

/// The caller's tensor, checked as far as it can be.
func tensor(_ pointer: UnsafePointer<sasuka_tensor>?, _ what: StaticString) throws(SasukaError) -> HostTensor {
  let tensor = try required(pointer, what).pointee
  let data = try required(tensor.data, what)
  let dtype: DType
  switch Int(tensor.dtype) {
  case SASUKA_FLOAT32: dtype = .float32
  case SASUKA_FLOAT64: dtype = .float64
  case SASUKA_UINT8: dtype = .uint8
  case SASUKA_INT32: dtype = .int32
  case SASUKA_INT64: dtype = .int64
  default: throw SasukaError(.invalidArgument, "\(what)->dtype is \(tensor.dtype), which is none of its constants")
  }
  let shape = try readShape(tensor.shape, tensor.rank, what)
  guard let given = tensor.strides else { return HostTensor(data, dtype, shape) }
  var strides: [Int] = []
  for axis in 0..<shape.rank {
    let stride = Int(given[axis])
    guard stride > -Shape.maximumCount, stride < Shape.maximumCount else {
      throw SasukaError(
        .invalidArgument, "\(what)->strides[\(axis)] is \(stride); less than \(Shape.maximumCount) is expected")
    }
    strides.append(stride)
  }
  return HostTensor(data, dtype, shape, strides: strides)
}

/// Copies text, its final zero included, to a caller's buffer that is large enough; says how much is needed in any case.
func write(
  _ text: String, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?
) throws(SasukaError) {
  let copy = text.withCString { strdup($0) }
  defer { free(copy) }
  let bytes = UnsafeRawBufferPointer(start: try required(copy, "memory for text"), count: text.utf8.count + 1)
  try write(bytes, buffer, capacity, needed)
}

/// Copies bytes to a caller's buffer that is large enough; says how much is needed in any case.
func write(
  _ bytes: UnsafeRawBufferPointer, _ buffer: UnsafeMutableRawPointer?, _ capacity: Int,
  _ needed: UnsafeMutablePointer<Int>?
) throws(SasukaError) {
  try required(needed, "needed").pointee = bytes.count
  if buffer == nil, capacity == 0 { return }
  guard capacity >= bytes.count else {
    throw SasukaError(.bufferTooSmall, "room for \(capacity) bytes; \(bytes.count) are needed")
  }
  if let start = bytes.baseAddress { memcpy(try required(buffer, "the buffer"), start, bytes.count) }
}
