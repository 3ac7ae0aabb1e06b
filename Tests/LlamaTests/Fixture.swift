import Checkpoints
import Compute
import FoundationEssentials
import StandIn
import Testing

@testable import Llama

/// Where a test's model computes.
enum Machine: String, CaseIterable, CustomTestStringConvertible {
    case cpu = "CPU"
    case standIn = "GPU's stand-in"

    var testDescription: String { rawValue }
}

/// A model folder with what transformers computes from it in float32 (Fixtures/make_fixtures.py).
struct Fixture {
    struct Expected: Decodable {
        struct Case: Decodable {
            let weights: [Float]
            let merge: Merge
            let greedy: [[Int32]]
            let ended: [Bool]
            let logprob: [Double]?
        }
        let prompts: [[Int32]]
        let answers: [[Int32]]?
        let new: Int
        let mixtures: [Case]
        let embeddings: [[Float]]?
        let sharers: [String]?
    }

    static let root = String(#filePath.dropLast("Fixture.swift".count)) + "Fixtures/"
    static let example = String(#filePath.dropLast("Tests/LlamaTests/Fixture.swift".count)) + "examples/debian/"
    static let tiny = ["llama2", "llama3.1", "llama3.2"]

    let folder: ModelFolder
    let adapters: [Adapter]
    let expected: Expected
    let logits: Safetensors

    init(_ name: String) throws {
        let isExample = name == "debian"
        let base = Self.root + name
        let bytes = try Data(contentsOf: URL(filePath: base + ".json"))
        expected = try JSONDecoder().decode(Expected.self, from: bytes)
        logits = try Safetensors(base + ".safetensors")
        folder = try ModelFolder(isExample ? Self.example + "models/debian-llama-4m" : Self.root + name)
        let folders =
            isExample
            ? expected.sharers!.map { Self.example + "pools/package_section/" + $0 }
            : ["first", "second"].map { Self.root + name + "/adapters/" + $0 }
        let config = folder.config
        adapters = try folders.map { try Adapter($0, for: config) }
    }

    func model(_ change: (inout EngineOptions) -> Void = { _ in }) throws -> Llama<CPUBackend> {
        var options = EngineOptions()
        change(&options)
        let model = try Llama(folder, options: options)
        try model.load(bank: adapters)
        return model
    }

    /// The same on the GPU's stand-in, in float32 like the fixtures.
    func modelOnStandIn() throws -> Llama<CUDABackend> {
        let model = try Llama(
            folder, backend: StandIn.backend(isBF16: false, bytes: 256 << 20), options: EngineOptions())
        try model.load(bank: adapters)
        return model
    }

    func model(on machine: Machine) throws -> any LanguageModel {
        switch machine {
        case .cpu: try model()
        case .standIn: try modelOnStandIn()
        }
    }

    var mixtures: [Mixture] { expected.mixtures.map { Mixture(weights: $0.weights) } }

    /// Every prompt under one mixture.
    func requests(mixture: Int = 0, scoring: Bool = false, sampling: Sampling = .greedy) -> [Request] {
        expected.prompts.indices.map {
            Request(
                prompt: expected.prompts[$0], mixture: mixture, answer: scoring ? expected.answers![$0] : nil,
                maxNewTokens: expected.new, sampling: sampling)
        }
    }
}

/// Root mean square of the difference over that of the expected values.
func relativeError(_ found: [Float], _ expected: [Float]) -> Double {
    precondition(found.count == expected.count)
    var (off, all) = (0.0, 0.0)
    for (f, e) in zip(found, expected) {
        off += Double(f - e) * Double(f - e)
        all += Double(e) * Double(e)
    }
    return (off / all).squareRoot()
}
