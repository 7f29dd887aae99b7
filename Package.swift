// swift-tools-version: 6.2
// The targets of Sasuka. `make` builds what is shipped from them; `swift build` builds the same sources as ordinary Swift.
import PackageDescription

/// The Makefile sets SASUKA_EMBEDDED to compile the engine and its door as Embedded Swift, the form that is shipped.
/// The instruction-set targets stay ordinary Swift: Embedded modules carry copies of the runtime compiled with their own
/// flags, and the linker might keep the AVX-512 copy for everybody.
let isEmbedded = Context.environment["SASUKA_EMBEDDED"] != nil

let engineSettings: [SwiftSetting] =
  isEmbedded
  ? [
    .enableExperimentalFeature("Embedded"),
    // A function that takes closures would be compiled anew for each: 40 KB of doors and graph builders. Instructions
    // that repeat, such as the releases on the way out of a failed call, become functions: 19 KB, and 10 KB more when
    // all files are one module for LLVM. Nothing is inlined there beyond what Swift itself has inlined: 8 KB of retains.
    // No loop has its condition twice: 8 KB. What both ways of a branch do is done once: 2 KB. What reads and checks
    // archives is marked to be compiled for speed. Who else uses a property at the same time is not asked at run time, for Embedded
    // Swift's answer is always nobody: 7 KB. Ordinary builds, those of the tests among them, do ask.
    .unsafeFlags([
      "-Osize", "-wmo", "-enforce-exclusivity=unchecked", "-Xfrontend", "-function-sections",
      "-Xllvm", "-sil-disable-pass=closure-specialize",
      "-Xllvm", "-enable-machine-outliner=always", "-Xfrontend", "-enable-single-module-llvm-emission",
      "-Xllvm", "-inline-threshold=-60", "-Xllvm", "-sil-disable-pass=loop-rotate",
      "-Xllvm", "-sink-common-insts", "-Xllvm", "-hoist-common-insts",
    ]),
  ] : []

/// A target that compiles its own copy of Sources/Kernels with the given instruction set.
///
/// -Ounchecked even in debug builds: the compiler of plans has proved the inputs. The unroll threshold lets a register
/// tile written with integer generics become straight code: 182 instead of 43 GFLOP/s on a core whose peak is 200.
/// Functions begin at any even address, 3 KB; loops are still aligned. They have no guards on the stack, 10 KB: what lies there
/// are a few vectors, and the compiler of plans has proved how many. The engine, which reads what others wrote, keeps its own.
func kernels(
  _ name: String, path: String? = nil, optimization: String = "-Ounchecked", instructions: [String]
) -> Target {
  .target(
    name: name,
    dependencies: ["CSystem"],
    path: path,
    swiftSettings: [
      .unsafeFlags(
        [
          optimization, "-Xllvm", "-unroll-threshold=20000", "-Xllvm", "-align-all-functions=1",
          "-Xfrontend", "-disable-stack-protector",
        ] + instructions.flatMap { ["-Xcc", $0] })
    ])
}

let instructionSets = ["KernelsAVX512", "KernelsAVX2", "KernelsBaseline"]

/// What is shipped: engine and door as one module, since each Embedded module brings its own copy of what it uses.
let shippedTargets: [Target] = [
  .target(
    name: "Sasuka",
    dependencies: ["SasukaHeader", "CSystem"] + instructionSets.map { .byName(name: $0) },
    path: "Sources",
    exclude: ["CSystem", "Embedded", "Kernels"] + instructionSets,
    sources: ["Sasuka", "SasukaABI"],
    swiftSettings: engineSettings)
]

/// What is tested: the same sources as ordinary Swift, engine and door apart.
let testedTargets: [Target] = [
  .target(name: "Sasuka", dependencies: ["CSystem"] + instructionSets.map { .byName(name: $0) }),
  .target(name: "SasukaABI", dependencies: ["SasukaHeader", "CSystem", "Sasuka"]),
  kernels("KernelsPortable16", path: "Tests/KernelsPortable16", instructions: []),
  .testTarget(name: "SasukaTests", dependencies: ["Sasuka", "KernelsPortable16"]),
]

let package = Package(
  name: "Sasuka",
  targets: [
    .systemLibrary(name: "CSystem", path: "Sources/CSystem/include"),
    .systemLibrary(name: "SasukaHeader", path: "Include"),
    kernels(
      "KernelsAVX512",
      instructions: ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx2", "-mfma"]),
    kernels("KernelsAVX2", instructions: ["-mavx2", "-mfma"]),
    // For machines of before 2013: correct and small comes before fast.
    kernels("KernelsBaseline", optimization: isEmbedded ? "-Osize" : "-Ounchecked", instructions: []),
  ] + (isEmbedded ? shippedTargets : testedTargets)
)
