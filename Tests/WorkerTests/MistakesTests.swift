import Checkpoints
import Foundation
import Manifest
import Posix
import Testing

@testable import Worker

@Suite struct MistakesTests {
    private static let examples = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "examples/debian").path

    /// The example's model with its first layer `layers` times.
    private func deepModel(_ layers: Int, in root: String) throws {
        let (source, folder) = ("\(Self.examples)/models/debian-llama-4m", "\(root)/debian-llama-4m")
        try Files.makeDirectories(folder)
        try Files.copy("\(source)/tokenizer.json", to: "\(folder)/tokenizer.json", limit: .max)
        let config = try String(contentsOfFile: "\(source)/config.json", encoding: .utf8)
            .replacing(#""num_hidden_layers": 6"#, with: #""num_hidden_layers": \#(layers)"#)
        try Files.writeAtomically(Array(config.utf8), to: "\(folder)/config.json")
        let weights = try Safetensors("\(source)/model.safetensors")
        var entries: [Safetensors.Entry] = []
        for name in weights.names where !name.contains(".layers.") || name.contains(".layers.0.") {
            let tensor = try #require(weights[name])
            for layer in name.contains(".layers.0.") ? 0..<layers : 0..<1 {
                entries.append(
                    Safetensors.Entry(
                        name.replacing(".layers.0.", with: ".layers.\(layer)."), tensor.shape, tensor.floats()))
            }
        }
        try Files.writeAtomically(Safetensors.encoded(entries), to: "\(folder)/model.safetensors")
    }

    @Test(arguments: [("layer", 1), ("adapter", 0)])
    func aSearchOverTooManyWeightsIsTold(_ granularity: String, _ count: Int) throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "primed-mistakes-\(UUID())").path
        defer { try? Files.removeTree(root) }
        try deepModel(33, in: root)
        var configuration = Configuration()
        (configuration.models, configuration.pools) = (root, "\(root)/pools")
        try Files.makeDirectories(configuration.pools)
        // In no pool's folder, so that it may have any name.
        try FileManager.default.copyItem(
            atPath: "\(Self.examples)/pools/package_section/user_207", toPath: "\(configuration.pools)/user_207")
        (configuration.tasks, configuration.histories) = ("\(Self.examples)/tasks", "\(Self.examples)/users")
        let sharers = (0..<64).map { #"{ "id": "s\#($0)", "adapter": "user_207" }"# }
        let manifest = try JobManifest(
            Array(
                """
                { "job": "personalize", "base": "debian-llama-4m", "task": "package_section", "targets": "three.json",
                  "sharers": [\(sharers.joined(separator: ","))], "evolve": { "granularity": "\(granularity)" } }
                """.utf8), file: "job.json")
        let mistakes = JobInputs.mistakes(in: manifest, names: Names(folder: nil, configuration: configuration))
        #expect(mistakes.count == count, "\(mistakes)")
        for mistake in mistakes {
            #expect(mistake.place == "manifest: evolve.granularity" && mistake.code == "optimizer")
            #expect(
                mistake.message == "2112 weights, one for each of 64 sharers in each of 33 layers; search 1 to 2048: "
                    + "fewer sharers, or one weight an adapter")
        }
    }
}
