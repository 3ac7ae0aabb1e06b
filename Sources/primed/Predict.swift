import Checkpoints
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
            {"id","output","tokens":[...],"logprob":x?}. logprob is the summed natural log-likelihood of the answer's \
            tokens, if one was given. Decoding is greedy and stops where the model ends its answer.

            Every --adapter is a PEFT folder and its weight in the merge; without any the base predicts.
            """,
        options: [
            Option(name: "model", value: "DIR", help: "a Hugging Face model folder"),
            Option(
                name: "adapter", value: "DIR=WEIGHT", help: "an adapter and its weight; may be given again",
                mayRepeat: true),
            Option(name: "merge", value: "delta|factors", help: "how adapters merge (default: delta)"),
            Option(name: "max-new-tokens", value: "N", help: "the longest continuation (default: 100)"),
            Option(name: "temperature", value: "T", help: "sample at this temperature, top-p 0.9 (default: greedy)"),
            Option(name: "seed", value: "N", help: "seed of the samples (default: 0)"),
            Option(name: "threads", value: "N", help: "threads (default: 2)"),
        ],
        exits: [
            (Exit.ok, "done"), (Exit.badData, "a line, the model or an adapter is mistaken"),
        ],
        examples: [
            #"echo '{"id":"1","prompt":"Description: a Perl module Tag:"}' | primed predict --model DIR --adapter A=0.7 --adapter B=0.3"#
        ]
    ) { arguments in
        guard let path = arguments.text("model") else { throw Failure(Exit.usage, "predict: give --model DIR") }
        let folder = try ModelFolder(path)
        let tokenizer = try Tokenizer(folder: path)
        var options = EngineOptions()
        options.threads = try arguments.integer("threads", default: 2, in: 1...1024)
        let model = Llama(folder, options: options)
        let adapters = try arguments.texts("adapter").map(weighted)
        try model.load(bank: try adapters.map { try Adapter($0.path, for: folder.config) })
        let batch = Batch(
            model: model, tokenizer: tokenizer,
            mixture: adapters.isEmpty ? .base : Mixture(weights: adapters.map(\.weight)),
            merge: try arguments.choice("merge", default: Merge.delta),
            maxNewTokens: try arguments.integer("max-new-tokens", default: 100, in: 0...65536),
            sampling: try sampling(arguments))
        var lines = InputLines()
        var items: [Item] = []
        while let line = try lines.next() {
            items.append(try Item(line, number: lines.number))
            if items.count == 4096 {
                try batch.run(items)
                items = []
            }
        }
        try batch.run(items)
        return Exit.ok
    }

    private static func sampling(_ arguments: Arguments) throws(Failure) -> Sampling {
        guard let text = arguments.text("temperature") else { return .greedy }
        guard let temperature = Float(text), temperature > 0, temperature <= 100 else {
            throw Failure(Exit.usage, "predict: --temperature is \"\(printable(text))\"; write a number of 0 to 100")
        }
        let seed = try arguments.integer("seed", default: 0, in: 0...Int.max)
        return .seeded(temperature: temperature, topP: 0.9, seed: UInt64(seed))
    }

    private static func weighted(_ text: String) throws(Failure) -> (path: String, weight: Float) {
        guard let split = text.lastIndex(of: "="), let weight = Float(text[text.index(after: split)...]),
            weight.isFinite
        else { throw Failure(Exit.usage, "predict: --adapter is \"\(printable(text))\"; write DIR=WEIGHT") }
        return (String(text[..<split]), weight)
    }

    /// One line of input.
    private struct Item {
        let id: JSONValue
        let prompt: String
        let answer: String?

        init(_ line: [UInt8], number: Int) throws {
            var reader = try JSONReader(line, file: "line \(number)")
            guard case .object(let object) = try reader.document(), case .string(let prompt)? = object["prompt"],
                let id = object["id"], id.text != nil
            else { throw Failure(Exit.badData, "line \(number): no object with id and prompt") }
            self.id = id
            self.prompt = prompt
            answer = try object["answer"].map { value in
                guard case .string(let text) = value else {
                    throw Failure(Exit.badData, "line \(number): answer is \(value.kind); write a text")
                }
                return text
            }
        }
    }

    private struct Batch {
        let model: any LanguageModel
        let tokenizer: Tokenizer
        let mixture: Mixture
        let merge: Merge
        let maxNewTokens: Int
        let sampling: Sampling

        func run(_ items: [Item]) throws {
            let requests = items.map { item in
                let prompt = tokenizer.encode(item.prompt)
                return Request(
                    prompt: prompt, answer: item.answer.map { answerTokens($0, after: item.prompt, prompt) },
                    maxNewTokens: maxNewTokens, sampling: sampling)
            }
            let completions = try model.generate(requests, mixtures: [mixture], merge: merge, progress: nil)
            for (item, completion) in zip(items, completions) {
                show(
                    try json(
                        Line(
                            id: item.id.text ?? "", output: tokenizer.decode(completion.tokens),
                            tokens: completion.tokens, logprob: completion.logprob)))
            }
        }

        /// The answer's tokens as they follow the prompt: cut from the encoding of both together where that begins with
        /// the prompt's, since a tokenizer may join letters across the seam.
        private func answerTokens(_ answer: String, after text: String, _ prompt: [Int32]) -> [Int32] {
            let joint = tokenizer.encode(text + answer)
            return joint.starts(with: prompt)
                ? Array(joint[prompt.count...]) : tokenizer.encode(answer, bos: false)
        }
    }

    private struct Line: Encodable {
        let id: String
        let output: String
        let tokens: [Int32]
        let logprob: Double?
    }
}
