// swift-tools-version: 6.2
import PackageDescription

// The targets stand in the order in which a job meets them. Dependencies go one way all the same: from primed to Schedule,
// from there to Intake, Personalize and Deliver, from those to Engine, and to Base from anywhere. Within Personalize Methods
// stands on the rest, and Deliver draws Privacy's record.

// MARK: - The road

let road: [Target] = [
    .executableTarget(
        name: "primed",
        dependencies: [
            "Manifest", "Spool", "Queue", "Worker", "Tasks", "Methods", "Llama", "Tokenizers", "Checkpoints", "Compute",
            "JSON", "Posix", "Telemetry",
        ],
        path: "Sources/primed"),

    .target(name: "Manifest", dependencies: ["JSON"], path: "Sources/Intake/Manifest"),
    .target(name: "Spool", dependencies: ["Digest", "JSON", "Posix", "Telemetry"], path: "Sources/Intake/Spool"),

    .target(name: "Queue", dependencies: ["Digest"], path: "Sources/Schedule/Queue"),
    .target(
        name: "Worker",
        dependencies: [
            "Queue", "Spool", "Manifest", "Tasks", "Evolution", "Methods", "Privacy", "Report", "Llama", "Tokenizers",
            "Checkpoints", "Compute", "Digest", "JSON", "Posix", "Telemetry",
        ],
        path: "Sources/Schedule/Worker"),

    .target(
        name: "Methods",
        dependencies: ["Tasks", "Evolution", "Privacy", "Llama", "Tokenizers", "Checkpoints", "Digest"],
        path: "Sources/Personalize/Methods"),
    .target(name: "Tasks", dependencies: ["Digest", "JSON"], path: "Sources/Personalize/Tasks"),
    .target(name: "Evolution", dependencies: ["COpenBLAS", "Digest"], path: "Sources/Personalize/Evolution"),
    .target(name: "Privacy", path: "Sources/Personalize/Privacy"),

    .target(name: "Llama", dependencies: ["Checkpoints", "Compute", "Digest"], path: "Sources/Engine/Llama"),
    .target(name: "Tokenizers", dependencies: ["Digest", "JSON", "Posix"], path: "Sources/Engine/Tokenizers"),
    .target(
        name: "Checkpoints", dependencies: ["COpenBLAS", "Digest", "JSON", "Posix"], path: "Sources/Engine/Checkpoints"),
    .target(
        name: "Compute", dependencies: ["CKernels", "CCUDA", "COpenBLAS", "Digest", "Posix"],
        path: "Sources/Engine/Compute"),

    .target(name: "Report", dependencies: ["Privacy"], path: "Sources/Deliver/Report"),

    .target(name: "Telemetry", dependencies: ["Posix", "Digest"], path: "Sources/Base/Telemetry"),
    .target(name: "Posix", dependencies: ["CPosix"], path: "Sources/Base/Posix"),
    .target(name: "JSON", path: "Sources/Base/JSON"),
    .target(name: "Digest", path: "Sources/Base/Digest"),
]

// MARK: - C under it

let underneath: [Target] = [
    .target(name: "CKernels", path: "Sources/Engine/CKernels", cSettings: [.unsafeFlags(["-O3"])]),
    .target(name: "CCUDA", path: "Sources/Engine/CCUDA", exclude: ["kernels"]),
    .target(name: "CPosix", path: "Sources/Base/CPosix"),
    .systemLibrary(
        name: "COpenBLAS", path: "Sources/Engine/COpenBLAS", pkgConfig: "openblas",
        providers: [.apt(["libopenblas-pthread-dev", "liblapacke-dev"])]),
]

// MARK: - Tests

/// - Parameter fixtures: whether the tests have files beside their sources, which they read where they lie.
func tests(_ module: String, _ dependencies: [Target.Dependency] = [], fixtures: Bool = false) -> Target {
    .testTarget(
        name: "\(module)Tests", dependencies: [.byName(name: module)] + dependencies, path: "Tests/\(module)Tests",
        exclude: fixtures ? ["Fixtures"] : [])
}

let checks: [Target] = [
    tests("Manifest", ["JSON"]),
    tests("Spool", ["Posix", "Telemetry"]),
    tests("Queue"),
    tests("Worker", ["Manifest", "Spool", "Checkpoints", "Posix", "Telemetry"]),
    tests("Methods", ["Compute", "Tasks", "Evolution", "Privacy", "Llama", "Tokenizers", "Checkpoints"]),
    tests("Tasks", ["JSON"], fixtures: true),
    tests("Evolution", fixtures: true),
    tests("Privacy"),
    tests("Llama", ["Checkpoints", "Compute", "StandIn"], fixtures: true),
    tests("Tokenizers", fixtures: true),
    tests("Checkpoints", ["JSON", "Posix"]),
    .target(name: "StandIn", dependencies: ["Compute", "Posix"], path: "Tests/StandIn", exclude: ["device"]),
    tests("Compute", ["CKernels", "StandIn"]),
    tests("Report", ["Privacy"]),
    tests("Telemetry", ["Posix"]),
    tests("Posix", ["CPosix"]),
    tests("JSON"),
    tests("Digest"),
    tests("primed", ["Posix", "StandIn"]),
    .target(
        name: "Fuzz", dependencies: ["Manifest", "Tokenizers", "Checkpoints", "JSON"], path: "Tests/Fuzz",
        exclude: ["corpus", "harness.c", "make-seeds", "seeds", "words"]),
    tests("Fuzz"),
]

let package = Package(
    name: "primed", products: [.executable(name: "primed", targets: ["primed"])],
    targets: road + underneath + checks, swiftLanguageModes: [.v6], cLanguageStandard: .c2x)
