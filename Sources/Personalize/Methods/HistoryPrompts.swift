import Llama
import Tasks
import Tokenizers

/// A target's history as the engine is asked about it.
struct HistoryPrompts {
    var tokens: [[Int32]] = []
    var gold: [String] = []
    /// The history item that each prompt asks about.
    var items: [String] = []

    init(
        _ user: User, task: TaskDefinition, tokenizer: Tokenizer, settings: Settings, seed: UInt64
    ) throws(MethodError) {
        let examples: [Example]
        do {
            examples = try task.examples(
                user, recent: settings.recent, retrieval: settings.retrieval, fraction: settings.fraction, seed: seed)
        } catch {
            throw MethodError(error)
        }
        tokens = examples.map { tokenizer.encode($0.prompt) }
        gold = examples.map(\.answer)
        items = examples.map(\.item)
    }
}

/// A target's queries as the engine is asked them.
struct QueryPrompts {
    let ids: [String]
    let tokens: [[Int32]]

    init(_ user: User, task: TaskDefinition, tokenizer: Tokenizer) throws(MethodError) {
        do {
            let prompts = try task.prompts(user)
            ids = prompts.map(\.id)
            tokens = prompts.map { tokenizer.encode($0.text) }
        } catch {
            throw MethodError(error)
        }
    }
}
