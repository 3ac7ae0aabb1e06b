import Llama
import Tasks
import Tokenizers

/// Predictions for prompts under mixtures: the only place where a method meets the engine's decoding.
struct Predictor {
    let task: TaskDefinition
    let tokenizer: Tokenizer
    let model: any LanguageModel
    let settings: Settings
    /// Told after each step of the engine.
    var tick: ((Progress) -> Void)?

    /// Predicts every target's prompts under each of its mixtures, all in one batch.
    ///
    /// - Parameter wanted: with mixtures over the loaded bank.
    /// - Returns: answers, `[wanted][mixtures][prompts]`.
    func predictions(_ wanted: [TargetSearch.Wanted]) throws(MethodError) -> [[[String]]] {
        var requests: [Request] = []
        var mixtures: [Mixture] = []
        for one in wanted {
            for mixture in one.mixtures {
                for (row, prompt) in one.prompts.enumerated() {
                    requests.append(
                        Request(
                            prompt: prompt, mixture: mixtures.count, answer: nil, maxNewTokens: settings.maxNewTokens,
                            sampling: sampling(row: row, seed: one.seed)))
                }
                mixtures.append(mixture)
            }
        }
        let completions: [Completion]
        do {
            completions = try model.generate(requests, mixtures: mixtures, merge: settings.merge, progress: tick)
        } catch {
            throw MethodError(error)
        }
        var rest = completions[...].lazy.map { task.answer(tokenizer.decode($0.tokens)) }.makeIterator()
        return wanted.map { one in one.mixtures.map { _ in one.prompts.compactMap { _ in rest.next() } } }
    }

    /// A prompt draws the same random numbers under every mixture, so that candidates differ by their weights alone.
    private func sampling(row: Int, seed: UInt64) -> Sampling {
        guard let sampling = settings.sampling else { return .greedy }
        return .seeded(temperature: sampling.temperature, topP: sampling.topP, seed: seed &+ UInt64(row))
    }
}
