import Llama
import Manifest
import Methods
import Posix
import Tasks
import Worker

/// The measured work of a bench.
struct BenchRun {
    let manifest: JobManifest
    let inputs: JobInputs
    let model: any LanguageModel
    /// Threads that products run on.
    let lanes: Int

    /// What was measured of a stretch of work.
    struct Measured {
        var seconds: Double
        /// Of the run whose products were measured.
        var measuredSeconds: Double
        var productSeconds: Double
        var operations: Double
        var bytes: Double

        func less(_ part: Measured) -> Measured {
            Measured(
                seconds: seconds - part.seconds, measuredSeconds: measuredSeconds - part.measuredSeconds,
                productSeconds: productSeconds - part.productSeconds, operations: operations - part.operations,
                bytes: bytes - part.bytes)
        }

        func work(tokens: Int? = nil) -> BenchReport.Work {
            BenchReport.Work(
                seconds: seconds, tokens: tokens.map { Double($0) / seconds },
                products: productSeconds / measuredSeconds,
                rate: operations / productSeconds * 1e-9, traffic: bytes / productSeconds * 1e-9)
        }
    }

    /// A GPU's first time also compiles kernels, records steps and takes memory, which a long job does not notice.
    func warmUp(_ body: () throws -> Void) rethrows {
        if !model.measuresProducts { try body() }
    }

    /// Times `body`. Where measuring its products would slow it, they are measured in a second run of it.
    func measured<Value>(_ body: () throws -> Value) rethrows -> (Value, Measured) {
        var (before, start) = (model.statistics, MonotonicClock.seconds())
        let value = try body()
        let seconds = MonotonicClock.seconds() - start
        var measuredSeconds = seconds
        if !model.measuresProducts {
            model.measuresProducts = true
            defer { model.measuresProducts = false }
            (before, start) = (model.statistics, MonotonicClock.seconds())
            _ = try body()
            measuredSeconds = MonotonicClock.seconds() - start
        }
        let after = model.statistics
        let measured = Measured(
            seconds: seconds, measuredSeconds: measuredSeconds,
            productSeconds: (after.productThreadSeconds - before.productThreadSeconds) / Double(lanes),
            operations: after.productOperations - before.productOperations,
            bytes: after.productBytes - before.productBytes)
        return (value, measured)
    }

    /// The fastest of several.
    private func fastest(_ rounds: Int, _ body: () throws -> Void) rethrows -> Measured {
        try warmUp(body)
        return try (0..<rounds).map { _ in try measured(body).1 }.min { $0.seconds < $1.seconds }!
    }

    /// One target's whole run, nothing published.
    func whole(_ target: JobInputs.Target) throws -> PhaseSeconds {
        let (user, given) = try target.input.get()
        let start = MonotonicClock.seconds()
        let sharers = try sharers(user, given)
        let selection = MonotonicClock.seconds() - start
        var journal = MemoryJournal()
        let method = PriME(
            task: inputs.task, tokenizer: inputs.tokenizer, model: model, settings: Settings(manifest))
        let target = Methods.Target(user: user, sharers: sharers)
        var seconds = try method.personalize([target], journal: &journal) { _ in true }[0].get().seconds
        seconds.prepare += selection
        return seconds
    }

    /// Where the base encodes the history to select them, the model is without a bank afterwards.
    private func sharers(_ user: User, _ given: [Float]?) throws -> [Sharer] {
        try inputs.select(user, given, model: model, base: manifest.base)
    }

    /// The history's prompts alone, and what follows them.
    func rates(
        _ target: JobInputs.Target, rounds: Int
    ) throws -> (prefill: BenchReport.Work, decode: BenchReport.Work?) {
        let prompts = try history(target).prompts
        func continued(by newTokens: Int) throws -> (measured: Measured, tokens: Int) {
            var decoded = 0
            let measured = try fastest(rounds) {
                let before = model.statistics.decodedTokens
                _ = try model.generate(
                    prompts.map { Request(prompt: $0, maxNewTokens: newTokens) }, mixtures: [.base], merge: .delta,
                    progress: nil)
                decoded = model.statistics.decodedTokens - before
            }
            return (measured, decoded)
        }
        let first = try continued(by: 1)
        let whole = try continued(by: Settings(manifest).maxNewTokens)
        let prefill = first.measured.work(tokens: Set(prompts).reduce(0) { $0 + $1.count })
        guard whole.tokens > first.tokens, whole.measured.seconds > first.measured.seconds else {
            return (prefill, nil)
        }
        return (prefill, whole.measured.less(first.measured).work(tokens: whole.tokens - first.tokens))
    }

    /// A target's history as prompts, and its sharers, whose bank is the model's then.
    private func history(_ target: JobInputs.Target) throws -> (prompts: [[Int32]], sharers: [Sharer]) {
        let (user, given) = try target.input.get()
        let settings = Settings(manifest)
        let prompts = try inputs.task.examples(
            user, recent: settings.recent, retrieval: settings.retrieval, fraction: settings.fraction
        ).map { inputs.tokenizer.encode($0.prompt) }
        let sharers = try sharers(user, given)
        try model.load(bank: sharers.map(\.adapter))
        return (prompts, sharers)
    }

    /// The history under a population of mixtures, as a generation evaluates it.
    func population(_ target: JobInputs.Target, _ size: Int, rounds: Int) throws -> BenchReport.Population {
        let (prompts, sharers) = try history(target)
        let settings = Settings(manifest)
        let mixtures = (0..<size).map { index in
            Mixture(weights: sharers.indices.map { Float($0 + 1) * 0.2 - Float(index) * 0.01 - 0.15 })
        }
        let requests = mixtures.indices.flatMap { mixture in
            prompts.map { Request(prompt: $0, mixture: mixture, maxNewTokens: settings.maxNewTokens) }
        }
        let work = try fastest(rounds) {
            _ = try model.generate(requests, mixtures: mixtures, merge: settings.merge, progress: nil)
        }
        return BenchReport.Population(candidates: size, seconds: work.seconds, rate: work.work().rate)
    }
}
