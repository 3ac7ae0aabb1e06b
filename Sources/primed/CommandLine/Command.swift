/// One option of a command.
struct Option: Sendable {
    /// Without the dashes.
    let name: String
    /// What its value is called; nil for a switch.
    let value: String?
    let help: String
    var mayRepeat = false
    var isRequired = false
    /// The option that gives this one its meaning.
    var needs: String?
}

/// A subcommand: what it takes, what it says of itself, and what it does.
struct Command: Sendable {
    let name: String
    /// One line for `primed help`.
    let summary: String
    /// The words after the command's name in its usage line.
    var operands = ""
    /// How many operands it takes.
    var operandCount: ClosedRange<Int> = 0...0
    /// Paragraphs of its help.
    let description: String
    var options: [Option] = []
    /// Files it reads or writes, where that is not plain from its operands.
    var files: [(path: String, meaning: String)] = []
    /// What its exit codes mean here; help adds what they mean for every command.
    var exits: [(code: Int32, meaning: String)] = []
    var examples: [String] = []
    var isHidden = false
    let run: @Sendable (Arguments) throws -> Int32
}
