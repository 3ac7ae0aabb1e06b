import Checkpoints
import Glibc
import JSON
import Llama
import Tokenizers
import Worker

/// `primed predict`
enum Predict {
    static let command = Command(
        name: "predict", summary: "continue prompts with a model and weighted adapters",
        description: """
            Reads JSON lines {"id","prompt"[,"answer"]} and prints, in their order, JSON lines \
            {"id","output","tokens":[...],"logprob":x?}: the text and ids of the new tokens, without the one that ends \
            the answer. logprob is the summed natural log-likelihood of the answer's tokens after the prompt, if an \
            answer was given. Decoding is greedy unless a temperature is given; samples follow from the seed and the \
            line's place in its answer alone, whatever else is computed with it.

            Every --adapter is a PEFT folder and its weight in the merge; without any the base predicts. "delta" sums \
            the weighted products, as the paper has it; "factors" the weighted factors, as its authors' code does.
            """,
        options: [
            Option(name: "model", value: "DIR", help: "a Hugging Face model folder", isRequired: true),
            Option(
                name: "adapter", value: "DIR=WEIGHT", help: "an adapter and its weight, of any sign", mayRepeat: true),
            Option(name: "merge", value: "delta|factors", help: "how adapters merge (default: delta)"),
            Option(
                name: "max-new-tokens", value: "N",
                help: "the longest continuation; 0 for the answers' likelihood alone (default: 100)"),
            Option(name: "temperature", value: "T", help: "sample at this temperature, top-p 0.9 (default: greedy)"),
            Option(name: "seed", value: "N", help: "seed of the samples (default: 0)"),
            Option(name: "threads", value: "N", help: "threads (default: the machine's cores)"),
            Site.deviceOption, Site.option,
        ],
        exits: [
            (Exit.ok, "done"), (Exit.badData, "a line, the model or an adapter is mistaken"),
            (Exit.noInput, "the model or an adapter is not there"),
            (Exit.unavailable, "a prompt takes more memory than there is"),
        ],
        examples: [
            "primed predict --model DIR < prompts.jsonl > answers.jsonl",
            #"echo '{"id":"1","prompt":"Description: a Perl module Tag:"}' | primed predict --model DIR --adapter A=0.7 --adapter B=0.3"#,
        ]
    ) { arguments in
        let path = arguments.required("model")
        let adapters = try arguments.texts("adapter").map(weighted)
        let sampling = try sampling(arguments)
        let merge = try arguments.choice("merge", default: Merge.delta)
        let maxNewTokens = try arguments.integer("max-new-tokens", default: 100, in: 0...65536)
        let site = try Site(arguments)
        var options = site.configuration.engineOptions(on: try site.device(arguments))
        options.threads = try arguments.integer(
            "threads", default: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))), in: 1...1024)

        let folder = try ModelFolder(path)
        let tokenizer = try Tokenizer(folder: path)
        guard tokenizer.vocabularySize <= folder.config.vocabulary else {
            throw Failure(
                Exit.badData,
                "\(path): the tokenizer has \(tokenizer.vocabularySize) tokens where the model has "
                    + "\(folder.config.vocabulary); take the model's own tokenizer")
        }
        let model = try languageModel(folder, options: options)
        try model.load(bank: try adapters.map { try Adapter($0.path, for: folder.config) })
        let mixture = Mixture(weights: adapters.map(\.weight))

        var reader = ItemReader(tokenizer: tokenizer, positions: folder.config.maxPositions)
        while true {
            let items = try reader.next(atMost: batchSize)
            guard !items.isEmpty else { return Exit.ok }
            let requests = items.map {
                Request(prompt: $0.prompt, answer: $0.answer, maxNewTokens: maxNewTokens, sampling: sampling)
            }
            let completions = try model.generate(requests, mixtures: [mixture], merge: merge, progress: nil)
            for (item, completion) in zip(items, completions) { show(line(item, completion, tokenizer)) }
        }
    }

    /// Lines that are computed together: enough to keep the engine's steps full, few enough to see results soon.
    private static let batchSize = 1024

    private static func sampling(_ arguments: Arguments) throws(Failure) -> Sampling {
        let seed = try arguments.integer("seed", default: 0, in: 0...Int.max)
        guard let text = arguments.text("temperature") else { return .greedy }
        guard let temperature = Float(text), temperature > 0, temperature <= 100 else {
            throw Failure(Exit.usage, "predict: --temperature is \"\(printable(text))\"; write a number of 0 to 100")
        }
        return .seeded(temperature: temperature, topP: 0.9, seed: UInt64(seed))
    }

    /// The last `=` separates, since a folder's name may have one.
    private static func weighted(_ text: String) throws(Failure) -> (path: String, weight: Float) {
        guard let split = text.lastIndex(of: "="), split > text.startIndex,
            let weight = Float(text[text.index(after: split)...]), weight.isFinite
        else {
            throw Failure(
                Exit.usage, "predict: --adapter is \"\(printable(text))\"; write DIR=WEIGHT with a finite weight")
        }
        return (String(text[..<split]), weight)
    }

    private static func line(_ item: Item, _ completion: Completion, _ tokenizer: Tokenizer) -> [UInt8] {
        var members: [(key: String, value: JSONValue)] = [
            ("id", item.id), ("output", .string(tokenizer.decode(completion.tokens))),
            ("tokens", .list(completion.tokens.map { .number("\($0)") })),
        ]
        if let logprob = completion.logprob { members.append(("logprob", .number("\(logprob)"))) }
        return JSONValue.object(JSONObject(members: members)).encoded + [0x0A]
    }
}

/// One line of input.
private struct Item {
    /// As it was given: a text or a number.
    let id: JSONValue
    let prompt: [Int32]
    let answer: [Int32]?
}

/// Reads and checks lines, so that whatever is wrong with one is told by its number.
private struct ItemReader {
    let tokenizer: Tokenizer
    /// Tokens that the model can take.
    let positions: Int
    var lines = InputLines()

    init(tokenizer: Tokenizer, positions: Int) {
        self.tokenizer = tokenizer
        self.positions = positions
    }

    mutating func next(atMost count: Int) throws -> [Item] {
        var items: [Item] = []
        while items.count < count, let line = try lines.next() { items.append(try item(line)) }
        return items
    }

    private func item(_ line: [UInt8]) throws -> Item {
        let value = try lines.value(of: line)
        guard case .object(let object) = value else { throw lines.wrong("\(value.kind); write an object") }
        guard let id = object["id"], id.text != nil else {
            throw lines.wrong("id is \(object["id"]?.kind ?? "missing"); write a text or a number")
        }
        guard let text = try text("prompt", of: object) else { throw lines.wrong("prompt is missing; write a text") }
        let prompt = tokenizer.encode(text)
        let answer = try self.text("answer", of: object).map { answerTokens($0, after: text, prompt) }
        let length = prompt.count + (answer?.count ?? 0)
        guard length <= positions else {
            throw lines.wrong("\(length) tokens; the model has \(positions) positions, so shorten the prompt")
        }
        return Item(id: id, prompt: prompt, answer: answer)
    }

    private func text(_ key: String, of object: JSONObject) throws(Failure) -> String? {
        switch object[key] {
        case nil: return nil
        case .string(let text): return text
        case let value?: throw lines.wrong("\(key) is \(value.kind); write a text")
        }
    }

    /// The answer's tokens as they follow the prompt: cut from the encoding of both together where that begins with the
    /// prompt's, since a tokenizer may join letters across the seam.
    private func answerTokens(_ answer: String, after text: String, _ prompt: [Int32]) -> [Int32] {
        let joint = tokenizer.encode(text + answer)
        return joint.starts(with: prompt) ? Array(joint[prompt.count...]) : tokenizer.encode(answer, bos: false)
    }
}
