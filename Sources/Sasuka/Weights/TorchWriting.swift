// PyTorch's state dicts, written as torch.save writes them: an archive with a pickle that names the tensors, and their
// numbers beside it.

/// Writes tensors, and as attribute `_metadata` the versions of modules, which tell PyTorch how to read their state: that of
/// the network, and 2 of those that count batches. It takes 1 for the others, which say nothing by it.
///
/// - Parameter version: of the network's class: one digit.
func writeTorch(_ tensors: [WeightTensor], version: UInt8, to sink: any ByteSink) throws(SasukaError) {
  var pickle = PickleWriter()
  pickle.add(tensors, version: version)
  var archive = ZipWriter(sink)
  try archive.add("archive/data.pkl", pickle.bytes)
  try archive.add("archive/byteorder", Array("little".utf8))
  for (place, tensor) in tensors.enumerated() { try archive.add("archive/data/" + place, [], tensor.bytes) }
  try archive.add("archive/version", Array("3\n".utf8))
  try archive.finish()
}

/// The few opcodes of pickle protocol 2 that a state dict needs.
private struct PickleWriter {
  private(set) var bytes: [UInt8] = [0x80, 2]

  mutating func add(_ tensors: [WeightTensor], version: UInt8) {
    add("ccollections\nOrderedDict\n)R(")
    for (place, tensor) in tensors.enumerated() {
      text(tensor.name)
      // _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)
      add("ctorch._utils\n_rebuild_tensor_v2\n((")
      text("storage")
      add("ctorch\n")
      bytes += Array(tensor.dtype.storageName.utf8)
      add("Storage\n")
      text("" + place)
      text("cpu")
      integer(tensor.count)
      add("tQ")
      integer(0)
      tuple(tensor.shape)
      tuple(Shape(tensor.shape).rowMajorStrides)
      bytes.append(0x89)
      add("ccollections\nOrderedDict\n)RtR")
    }
    add("u}")
    text("_metadata")
    add("ccollections\nOrderedDict\n)R(")
    addModule([], version: version)
    let counter = Array(".num_batches_tracked".utf8)
    for tensor in tensors where tensor.name.utf8.ends(with: counter) {
      addModule(tensor.name.utf8.firstBytes(tensor.name.utf8.count - counter.count), version: UInt8(ascii: "2"))
    }
    add("usb.")
  }

  private mutating func addModule(_ module: [UInt8], version: UInt8) {
    text(module)
    add("}")
    text("version")
    integer(Int(version) - 48)
    add("s")
  }

  private mutating func add(_ opcodes: StaticString) {
    opcodes.withUTF8Buffer { bytes += Array($0) }
  }

  private mutating func text(_ text: String) { self.text(Array(text.utf8)) }

  private mutating func text(_ utf8: [UInt8]) {
    bytes.append(UInt8(ascii: "X"))
    bytes.append(littleEndian: UInt32(truncatingIfNeeded: utf8.count))
    bytes += utf8
  }

  /// Four bytes, or eight with their count before them.
  private mutating func integer(_ number: Int) {
    if let short = Int32(exactly: number) {
      bytes.append(UInt8(ascii: "J"))
      bytes.append(littleEndian: short)
    } else {
      bytes += [0x8a, 8]
      bytes.append(littleEndian: number)
    }
  }

  private mutating func tuple(_ numbers: [Int]) {
    add("(")
    for number in numbers { integer(number) }
    add("t")
  }
}
