import JSON

/// A command's options and operands as they were given.
struct Arguments {
    private var values: [String: [String]] = [:]
    private(set) var operands: [String] = []

    /// Reads `words` by the command's options: `--name value`, `--name=value`, switches; `--` ends the options.
    init(_ words: [String], for command: Command) throws(Failure) {
        commandName = command.name
        let options = command.options + Self.common
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("-"), word != "-" else {
                operands.append(word)
                continue
            }
            if word == "--" {
                operands += rest
                break
            }
            let name = word == "-h" ? "help" : String(word.drop { $0 == "-" }.prefix { $0 != "=" })
            guard word.hasPrefix("--") || word == "-h", let option = options.first(where: { $0.name == name }) else {
                throw Failure.unknown(
                    "\(command.name): no option", String(word.prefix { $0 != "=" }),
                    among: options.map { "--\($0.name)" },
                    help: "primed \(command.name) --help")
            }
            let inline = word.firstIndex(of: "=").map { String(word[word.index(after: $0)...]) }
            guard option.value != nil else {
                guard inline == nil else { throw Failure(Exit.usage, "\(command.name): --\(name) takes no value") }
                values[name] = []
                continue
            }
            guard let value = inline ?? rest.popFirst() else {
                throw Failure(Exit.usage, "\(command.name): --\(name) needs \(option.value ?? "a value")")
            }
            guard option.mayRepeat || values[name] == nil else {
                throw Failure(Exit.usage, "\(command.name): --\(name) stands twice")
            }
            values[name, default: []].append(value)
        }
        guard !has("help") else { return }
        guard command.operandCount.contains(operands.count) else {
            let stray = operands.dropFirst(command.operandCount.upperBound).first.map(printable)
            let found = stray.map { "\($0) is one operand too many" } ?? "an operand is missing"
            let usage = ["primed", command.name, "[options]", command.operands].filter { !$0.isEmpty }
            throw Failure(Exit.usage, "\(command.name): \(found); usage: \(usage.joined(separator: " "))")
        }
        for option in options where option.isRequired && !has(option.name) {
            throw Failure(Exit.usage, "\(command.name): no --\(option.name); give \(Help.heading(option))")
        }
        for option in options where has(option.name) {
            guard let needed = option.needs, !has(needed) else { continue }
            throw Failure(
                Exit.usage,
                "\(command.name): --\(option.name) without --\(needed); give both or neither")
        }
    }

    private let commandName: String

    static let common = [Option(name: "help", value: nil, help: "print this text and exit")]

    func has(_ name: String) -> Bool { values[name] != nil }

    func text(_ name: String) -> String? { values[name]?.last }

    /// The value of an option that is required, which is there.
    func required(_ name: String) -> String {
        guard let text = text(name) else { preconditionFailure("--\(name) is not required") }
        return text
    }

    func texts(_ name: String) -> [String] { values[name] ?? [] }

    func integer(_ name: String, default fallback: Int, in range: ClosedRange<Int>) throws(Failure) -> Int {
        guard let text = text(name) else { return fallback }
        guard let value = Int(text), range.contains(value) else {
            throw Failure(
                Exit.usage,
                "\(commandName): --\(name) is \"\(printable(text))\"; write a whole number of \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return value
    }

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String, default fallback: Choice
    ) throws(Failure) -> Choice where Choice.RawValue == String {
        guard let text = text(name) else { return fallback }
        guard let choice = Choice(rawValue: text) else {
            let names = Choice.allCases.map(\.rawValue)
            throw Failure(
                Exit.usage,
                "\(commandName): --\(name) is \"\(printable(text))\"; known are \(names.joined(separator: ", "))")
        }
        return choice
    }
}
