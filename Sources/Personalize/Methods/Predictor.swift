import Checkpoints
import Llama
import Tasks
import Tokenizers

/// Predictions for prompts under mixtures: the only place where a method meets the engine.
struct Predictor {
    let task: TaskDefinition
    let tokenizer: Tokenizer
    let model: any LanguageModel
    let merge: Merge
    let maxNewTokens: Int
    /// nil decodes greedily.
    let sampling: (temperature: Float, topP: Float)?
    let seed: UInt64
    /// Told after each step of the engine.
    var tick: ((Progress) -> Void)?

    /// Predicts every prompt under every mixture in one batch.
    ///
    /// - Parameter prompts: token ids, BOS included, `[prompts][tokens]`.
    /// - Returns: answers, `[mixtures][prompts]`.
    func predictions(
        _ prompts: [[Int32]], mixtures: [Mixture]
    ) throws(MethodError) -> [[String]] {
        var requests: [Request] = []
        requests.reserveCapacity(prompts.count * mixtures.count)
        for mixture in mixtures.indices {
            for (row, prompt) in prompts.enumerated() {
                requests.append(
                    Request(
                        prompt: prompt, mixture: mixture, answer: nil, maxNewTokens: maxNewTokens,
                        sampling: sampling(row: row)))
            }
        }
        let completions: [Completion]
        do {
            completions = try model.generate(requests, mixtures: mixtures, merge: merge, progress: tick)
        } catch {
            throw MethodError(error)
        }
        return mixtures.indices.map { mixture in
            prompts.indices.map { task.answer(tokenizer.decode(completions[mixture * prompts.count + $0].tokens)) }
        }
    }

    /// A prompt draws the same random numbers under every mixture, so that candidates differ by their weights alone.
    private func sampling(row: Int) -> Sampling {
        guard let sampling else { return .greedy }
        return .seeded(temperature: sampling.temperature, topP: sampling.topP, seed: seed &+ UInt64(row))
    }
}
