import FoundationEssentials
import Tokenizers

/// `primed tokenize`
enum Tokenize {
    static let command = Command(
        name: "tokenize", summary: "turn texts into token ids and back",
        description: """
            Reads one JSON string a line and prints one JSON array of token ids a line, BOS included; with --decode the \
            reverse. The text of a special token is plain text. Ill-formed UTF-8 counts as U+FFFD.
            """,
        options: [
            Option(name: "model", value: "DIR", help: "a folder with tokenizer.json or tokenizer.model"),
            Option(name: "decode", value: nil, help: "read arrays of ids and print strings"),
        ], exits: [(Exit.ok, "done"), (Exit.badData, "a line is no string, or the tokenizer cannot be used")],
        examples: [#"echo '"Hello world"' | primed tokenize --model examples/debian/models/debian-llama-4m"#]
    ) { arguments in
        guard let folder = arguments.text("model") else { throw Failure(Exit.usage, "tokenize: give --model DIR") }
        let tokenizer = try Tokenizer(folder: folder)
        var lines = InputLines()
        while let line = try lines.next() {
            if arguments.has("decode") {
                guard let ids = try? JSONDecoder().decode([Int32].self, from: Data(line)) else {
                    throw Failure(Exit.badData, "line \(lines.number): no JSON array of token ids")
                }
                show(try json(tokenizer.decode(ids)))
            } else {
                let repaired = Array(String(decoding: line, as: UTF8.self).utf8)
                guard let text = try? string(repaired) else {
                    throw Failure(Exit.badData, "line \(lines.number): no JSON string")
                }
                show(try json(tokenizer.encode(text)))
            }
        }
        return Exit.ok
    }
}
