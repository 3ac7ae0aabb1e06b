import Checkpoints
import Compute
import Testing

@testable import Llama

@Suite("Against transformers")
struct ParityTests {
    struct Case: CustomTestStringConvertible {
        let name: String
        let machine: Machine
        var testDescription: String { "\(name), \(machine.rawValue)" }
    }

    /// The example's model takes the stand-in minutes: Tests/rigs/stand-in runs it.
    static let cases =
        (Fixture.tiny + ["debian"]).map { Case(name: $0, machine: .cpu) }
        + Fixture.tiny.map { Case(name: $0, machine: .standIn) }

    @Test(
        "Logits of every mixture, both merges, per adapter and per layer", arguments: Self.cases)
    func logits(_ given: Case) throws {
        let fixture = try Fixture(given.name)
        let model = try fixture.model(on: given.machine)
        for (index, mixture) in fixture.expected.mixtures.enumerated() {
            let found = try model.logits(
                fixture.expected.prompts[0], mixture: Mixture(weights: mixture.weights), merge: mixture.merge)
            let tensor = try #require(fixture.logits["mixture.\(index)"])
            // The fixtures keep every fourth position of the tiny models and the last four of the example.
            let kept = found.indices.filter { given.name == "debian" ? $0 >= found.count - 4 : $0 % 4 == 0 }
            let error = relativeError(kept.flatMap { found[$0] }, tensor.floats())
            #expect(error < 1e-5, "mixture \(index): relative error \(error)")
        }
    }

    @Test(
        "Greedy tokens and ends, all mixtures of a merge in one batch", arguments: Self.cases)
    func greedy(_ given: Case) throws {
        let fixture = try Fixture(given.name)
        let model = try fixture.model(on: given.machine)
        for merge in Merge.allCases {
            let cases = fixture.expected.mixtures.filter { $0.merge == merge }
            let completions = try model.generate(
                cases.indices.flatMap { fixture.requests(mixture: $0) },
                mixtures: cases.map { Mixture(weights: $0.weights) }, merge: merge, progress: nil)
            #expect(completions.map(\.tokens) == cases.flatMap(\.greedy))
            #expect(completions.map(\.ended) == cases.flatMap(\.ended))
        }
    }

    @Test("Log-likelihoods of given answers", arguments: Fixture.tiny, Machine.allCases)
    func likelihood(_ name: String, _ machine: Machine) throws {
        let fixture = try Fixture(name)
        let model = try fixture.model(on: machine)
        for item in fixture.expected.mixtures {
            let completions = try model.generate(
                fixture.requests(scoring: true), mixtures: [Mixture(weights: item.weights)], merge: item.merge,
                progress: nil)
            for (completion, expected) in zip(completions, try #require(item.logprob)) {
                #expect(abs(try #require(completion.logprob) - expected) < 1e-4 * abs(expected))
            }
            #expect(completions.map(\.tokens) == item.greedy)
        }
    }

    @Test("Mean of the last hidden states", arguments: Fixture.tiny, Machine.allCases)
    func embedding(_ name: String, _ machine: Machine) throws {
        let fixture = try Fixture(name)
        let found = try fixture.model(on: machine).embed(fixture.expected.prompts)
        for (found, expected) in zip(found, try #require(fixture.expected.embeddings)) {
            #expect(relativeError(found, expected) < 1e-5)
        }
    }
}

@Suite("What a batch may not change")
struct InvarianceTests {
    @Test("Threads, token budget, cache size and order leave every bit of a call alone", arguments: Fixture.tiny)
    func sameBits(_ name: String) throws {
        let fixture = try Fixture(name)
        func run(_ requests: [Request], _ change: (inout EngineOptions) -> Void) throws -> [Completion] {
            try fixture.model(change).generate(requests, mixtures: fixture.mixtures, merge: .delta, progress: nil)
        }
        let requests = fixture.mixtures.indices.flatMap { fixture.requests(mixture: $0, scoring: true) }
        let reference = try run(requests) { $0.threads = 1 }
        #expect(try run(requests) { $0.threads = 3 } == reference)
        #expect(try run(requests) { $0.tokenBudget = 33 } == reference)
        let block = fixture.folder.config.layers * fixture.folder.config.kvHeads * fixture.folder.config.headDim
        // Blocks for the longest sequence and little more: nearly everything waits its turn.
        #expect(try run(requests) { $0.cacheBytes = 16 * 32 * 4 * 4 * block } == reference)
        #expect(try run(requests.reversed()) { $0.threads = 2 } == reference.reversed())
    }

    /// A mixture's bits follow from its call's rows, which say whether it is folded into the weights.
    @Test("The base gives a request alone the bits that it gives in company", arguments: Fixture.tiny)
    func alone(_ name: String) throws {
        let fixture = try Fixture(name)
        let model = try fixture.model()
        let all = try model.generate(
            fixture.requests(scoring: true), mixtures: [.base], merge: .delta, progress: nil)
        for (index, request) in fixture.requests(scoring: true).enumerated() {
            let one = try model.generate([request], mixtures: [.base], merge: .delta, progress: nil)
            #expect(one[0] == all[index])
        }
        let mixtures = [.base] + fixture.mixtures
        let beside = try model.generate(
            mixtures.indices.flatMap { fixture.requests(mixture: $0, scoring: true) }, mixtures: mixtures,
            merge: .delta,
            progress: nil)
        #expect(Array(beside.prefix(all.count)) == all)
    }

    @Test("A bank takes its adapters' stacked numbers, once", arguments: Fixture.tiny)
    func bankBytes(_ name: String) throws {
        let fixture = try Fixture(name)
        let stacked = fixture.adapters.count * (fixture.adapters.map(\.rank).max() ?? 0)
        let sites = Set(fixture.adapters.flatMap(\.pairs.keys))
        let wanted = sites.reduce(0) { sum, site in
            let shape = fixture.folder.config.shape(of: site.module)
            return sum + 4 * stacked * (shape.input + shape.out)
        }
        #expect(try fixture.model().statistics.bankBytes == wanted)
    }

    @Test("Weights of zero are the base, to the bit", arguments: Fixture.tiny)
    func zeroIsBase(_ name: String) throws {
        let fixture = try Fixture(name)
        let model = try fixture.model()
        let tokens = fixture.expected.prompts[0]
        let zeros = Mixture(weights: [Float](repeating: 0, count: 2 * fixture.folder.config.layers))
        let base = try model.logits(tokens, mixture: .base, merge: .delta)
        for merge in Merge.allCases {
            #expect(try model.logits(tokens, mixture: Mixture(weights: [0, 0]), merge: merge) == base)
            #expect(try model.logits(tokens, mixture: zeros, merge: merge) == base)
        }
        // One weight of zero leaves nothing of its adapter either.
        let alone = try Llama(fixture.folder)
        try alone.load(bank: [fixture.adapters[0]])
        let expected = try alone.logits(tokens, mixture: Mixture(weights: [0.5]), merge: .delta)
        let found = try model.logits(tokens, mixture: Mixture(weights: [0.5, 0]), merge: .delta)
        for (found, expected) in zip(found, expected) { #expect(relativeError(found, expected) < 1e-6) }
    }

    @Test("A seeded draw depends on its seed and place alone")
    func seeds() throws {
        let fixture = try Fixture("llama3.1")
        let model = try fixture.model()
        func draw(_ seed: UInt64, _ requests: [Request]) throws -> [[Int32]] {
            try model.generate(
                requests.map {
                    var request = $0
                    request.sampling = .seeded(temperature: 1, topP: 0.9, seed: seed)
                    return request
                }, mixtures: [.base], merge: .delta, progress: nil
            ).map(\.tokens)
        }
        let all = try draw(5, fixture.requests())
        #expect(try draw(5, [fixture.requests()[2]]) == [all[2]])
        #expect(try draw(5, fixture.requests().reversed()) == all.reversed())
        #expect(try draw(6, fixture.requests()) != all)
        // Nothing but the likeliest token is left of a tiny nucleus.
        let narrow = try model.generate(
            fixture.requests(sampling: .seeded(temperature: 1, topP: 1e-6, seed: 1)), mixtures: [.base], merge: .delta,
            progress: nil)
        #expect(narrow.map(\.tokens) == fixture.expected.mixtures[0].greedy)
    }

    @Test("Equal requests are computed once, shared beginnings too")
    func sharing() throws {
        let fixture = try Fixture("llama3.1")
        let model = try fixture.model()
        // These four begin with the same 40 tokens.
        let requests = [0, 1, 2, 4].map { fixture.requests()[$0] }
        _ = try model.generate(requests + requests, mixtures: [.base], merge: .delta, progress: nil)
        #expect(model.statistics.prefillTokens == 40 + requests.reduce(0) { $0 + $1.prompt.count - 40 })
    }

    @Test("Work is counted on where a longer call takes new memory")
    func counts() throws {
        let fixture = try Fixture("llama3.1")
        func operations(_ calls: [[Int32]]) throws -> [Double] {
            let model = try fixture.model()
            return try calls.map {
                _ = try model.generate([Request(prompt: $0)], mixtures: [.base], merge: .delta, progress: nil)
                return model.statistics.productOperations
            }
        }
        let (short, long) = ([Int32](repeating: 3, count: 4), [Int32](repeating: 3, count: 200))
        let (shortAlone, longAlone) = (try operations([short])[0], try operations([long])[0])
        #expect(shortAlone > 0)
        #expect(try operations([short, long]) == [shortAlone, shortAlone + longAlone])
    }
}

@Suite("Refusals")
struct RefusalTests {
    private func code(_ body: () throws -> Void) -> LlamaError.Code? {
        do {
            try body()
            return nil
        } catch let error as LlamaError {
            #expect(!error.description.isEmpty)
            return error.code
        } catch {
            return nil
        }
    }

    @Test("Each impossible request has its own reason")
    func requests() throws {
        let fixture = try Fixture("llama2")
        let model = try fixture.model()
        func generate(_ request: Request, _ mixtures: [Mixture] = [.base]) -> LlamaError.Code? {
            code { _ = try model.generate([request], mixtures: mixtures, merge: .delta, progress: nil) }
        }
        #expect(generate(Request(prompt: [])) == .badPrompt)
        #expect(generate(Request(prompt: [1, 5000])) == .badPrompt)
        #expect(generate(Request(prompt: [1, -1])) == .badPrompt)
        #expect(generate(Request(prompt: [1], maxNewTokens: -1)) == .badPrompt)
        #expect(generate(Request(prompt: [Int32](repeating: 3, count: 257))) == .tooLong)
        #expect(generate(Request(prompt: [1], mixture: 1)) == .mixture)
        #expect(generate(Request(prompt: [1]), [Mixture(weights: [1])]) == .mixture)
        #expect(generate(Request(prompt: [1]), [Mixture(weights: [1, .nan])]) == .mixture)
        let empty = try Llama(fixture.folder)
        #expect(
            code {
                _ = try empty.generate(
                    [Request(prompt: [1])], mixtures: [.only(0, of: 2)], merge: .delta, progress: nil)
            } == .mixture)
        #expect(code { _ = try model.embed([[]]) } == .badPrompt)
    }

    @Test("A sequence that the cache cannot hold")
    func memory() throws {
        let fixture = try Fixture("llama2")
        let small = try fixture.model { $0.cacheBytes = 1 << 12 }
        #expect(
            code {
                _ = try small.generate(fixture.requests(), mixtures: [.base], merge: .delta, progress: nil)
            } == .memory)
    }

    @Test("A prompt may fill all positions; it then generates until they end")
    func lastPosition() throws {
        let fixture = try Fixture("llama2")
        let model = try fixture.model()
        let full = [Int32](repeating: 3, count: 256)
        let found = try model.generate(
            [Request(prompt: full), Request(prompt: Array(full.dropLast(4)))], mixtures: [.base], merge: .delta,
            progress: nil)
        // transformers' own: five from four free positions, since the last token needs none.
        #expect(found.map(\.tokens) == [[22], [22, 22, 26, 33, 15]])
        #expect(found.map(\.ended) == [false, false])
    }

    @Test("Weights that overflow end in an error, not in tokens")
    func notFinite() throws {
        let fixture = try Fixture("llama2")
        let model = try fixture.model()
        let mixture = Mixture(weights: [1e30, 1e30])
        #expect(
            code { _ = try model.generate(fixture.requests(), mixtures: [mixture], merge: .delta, progress: nil) }
                == .notFinite)
        // The engine goes on with the next call.
        let after = try model.generate(fixture.requests(), mixtures: [.base], merge: .delta, progress: nil)
        #expect(after.map(\.tokens) == fixture.expected.mixtures[0].greedy)
    }
}
