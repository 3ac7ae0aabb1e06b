import JSON
import Posix
import Tokenizers

/// `primed tokenize`
enum Tokenize {
    static let command = Command(
        name: "tokenize", summary: "turn texts into token ids and back",
        description: """
            Reads one JSON string a line and prints one JSON array of token ids a line, the beginning-of-sequence token \
            included; with --decode the reverse. Empty lines are left out.

            The text of a special token is plain text: it never becomes the token. Each ill-formed part of UTF-8 counts \
            as U+FFFD. In decoding, special tokens and ids outside the vocabulary leave nothing.
            """,
        options: [
            Option(
                name: "model", value: "DIR", help: "a folder with tokenizer.json or tokenizer.model", isRequired: true),
            Option(name: "decode", value: nil, help: "read arrays of ids and print strings"),
        ],
        exits: [
            (Exit.ok, "done"), (Exit.badData, "a line is no string or array, or the tokenizer cannot be used"),
            (Exit.noInput, "the folder has no tokenizer"),
        ],
        examples: [
            #"echo '"Hello, world"' | primed tokenize --model examples/debian/models/debian-llama-4m"#,
            "primed tokenize --model DIR < texts.jsonl | primed tokenize --model DIR --decode",
        ]
    ) { arguments in
        // Texts are no less private than histories.
        CrashDumps.forbid()
        let tokenizer = try Tokenizer(folder: arguments.required("model"))
        let decodes = arguments.has("decode")
        var lines = InputLines()
        while let line = try lines.next() {
            let value = try lines.value(of: line, repairing: true)
            if decodes {
                show(JSONValue.string(tokenizer.decode(try ids(value, lines))).encoded + [0x0A])
            } else {
                guard case .string(let text) = value else { throw lines.wrong("\(value.kind); write a string") }
                show("[\(tokenizer.encode(text).map(String.init).joined(separator: ","))]\n")
            }
        }
        return Exit.ok
    }

    private static func ids(_ value: JSONValue, _ lines: InputLines) throws(Failure) -> [Int32] {
        guard case .list(let list) = value else { throw lines.wrong("\(value.kind); write an array of token ids") }
        var ids: [Int32] = []
        ids.reserveCapacity(list.count)
        for value in list {
            guard case .number(let text) = value, let id = Int32(text) else {
                throw lines.wrong("\(value.kind) in the array; write token ids")
            }
            ids.append(id)
        }
        return ids
    }
}
