import Foundation

/// A site of a test's own over the shipped example, and the built binary on it.
final class Scene {
    let folder: URL
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let examples = root.appending(path: "examples/debian")
    static let model = examples.appending(path: "models/debian-llama-4m").path
    /// It lies beside the program that runs the tests.
    static let binary = URL(filePath: try! FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        .deletingLastPathComponent().appending(path: "primed")

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "primed-scene-\(UUID())")
        for name in ["inbox", "work", "outbox"] {
            try FileManager.default.createDirectory(
                at: folder.appending(path: name), withIntermediateDirectories: true)
        }
        try write(
            """
            { inbox: "inbox", work: "work", outbox: "outbox", threads: 1, models: "\(Self.examples.path)/models",
              pools: "\(Self.examples.path)/pools", tasks: "\(Self.examples.path)/tasks",
              histories: "\(Self.examples.path)/users" }
            """, to: "primed.json5")
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appending(path: name).path }

    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        try text.write(toFile: path(name), atomically: false, encoding: .utf8)
        return path(name)
    }

    func text(_ name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }
    func bytes(_ name: String) throws -> Data { try Data(contentsOf: folder.appending(path: name)) }
    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }
    func names(in name: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path(name)).filter { !$0.hasPrefix(".") }.sorted()
    }

    /// A small job over the example's users, as a file.
    func manifest(
        _ id: String, users: String = #"["78"]"#, targets: String = #""three.json""#, budget: Int = 7,
        task: String = "package_section", sharers: String = #"{ "pool": "package_section" }"#, extra: String = ""
    ) throws -> String {
        try write(
            """
            { "job": "personalize", "id": "\(id)", "base": "debian-llama-4m", "task": "\(task)", "sharers": \(sharers),
              "targets": \(targets), "only": \(users), "evolve": { "budget": \(budget) }\(extra) }
            """, to: "\(id).manifest.json")
    }

    // MARK: - The binary

    struct Ending {
        var status: Int32
        var out: String
        var errors: String
        var lines: [String] { out.split(separator: "\n").map(String.init) }
    }

    /// Runs the binary to its end.
    func primed(_ arguments: String..., input: String = "") throws -> Ending {
        try start(arguments, input: input).ending()
    }

    /// The same with this scene's configuration.
    func onSite(_ command: String, _ arguments: String...) throws -> Ending {
        try start([command, "--config", path("primed.json5")] + arguments).ending()
    }

    final class Running {
        let process = Process()
        private let out: URL
        private let errors: URL

        fileprivate init(
            _ arguments: [String], of program: URL = Scene.binary, input: String, environment: [String: String],
            in folder: URL
        ) throws {
            let name = UUID().uuidString
            (out, errors) = (folder.appending(path: "\(name).out"), folder.appending(path: "\(name).err"))
            let given = folder.appending(path: "\(name).in")
            try Data(input.utf8).write(to: given)
            for file in [out, errors] { try Data().write(to: file) }
            process.executableURL = program
            process.arguments = arguments
            process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
            process.currentDirectoryURL = folder
            process.standardInput = try FileHandle(forReadingFrom: given)
            process.standardOutput = try FileHandle(forWritingTo: out)
            process.standardError = try FileHandle(forWritingTo: errors)
            try process.run()
        }

        var said: String { (try? String(contentsOf: errors, encoding: .utf8)) ?? "" }

        func ending() throws -> Ending {
            process.waitUntilExit()
            return Ending(
                status: process.terminationStatus, out: try String(contentsOf: out, encoding: .utf8), errors: said)
        }
    }

    func start(
        _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) throws -> Running {
        try Running(arguments, input: input, environment: environment, in: folder)
    }

    /// Runs a shell script in the scene's folder, in which `$PRIMED` is the binary and `$PRIMED_CONFIG` names the configuration.
    func shell(_ script: String) throws -> Ending {
        try Running(
            ["-c", script], of: URL(filePath: "/bin/sh"), input: "",
            environment: ["PRIMED": Self.binary.path, "PRIMED_CONFIG": path("primed.json5")], in: folder
        ).ending()
    }

    /// Waits for what must come within a minute.
    func wait(until condition: () throws -> Bool) throws -> Bool {
        // A hang ends the test; a machine with other work to do does not.
        let deadline = Date(timeIntervalSinceNow: 300)
        while try !condition() {
            guard Date() < deadline else { return false }
            Thread.sleep(forTimeInterval: 0.005)
        }
        return true
    }
}

/// result.json, as other programs rely on it.
struct Result: Decodable, Equatable {
    struct Problem: Decodable, Equatable {
        var code: String
        var message: String
        var `where`: String
    }

    struct Target: Decodable, Equatable {
        struct Utility: Decodable, Equatable {
            var base: Double
            var merged: Double
            var sharers: [String: Double]
        }

        struct Similarity: Decodable, Equatable {
            var mean: Double
            var sharers: [String: Double]
        }

        var user: String
        var status: String
        var sharers: [String]?
        var weights: [Double]?
        var merge: String?
        var utility: Utility?
        var similarity: Similarity?
        var evaluations: Int?
        var seed: UInt64?
        var seconds: [String: Double]?
        var error: Problem?
    }

    var schema: Int
    var id: String
    var status: String
    var error: Problem?
    var targets: [Target]?
}

extension Scene {
    func result(_ id: String) throws -> Result {
        try JSONDecoder().decode(Result.self, from: bytes("outbox/\(id)/result.json"))
    }
}
