/// One option of a command.
struct Option: Sendable {
    /// Without the dashes.
    let name: String
    /// What its value is called; nil for a switch.
    let value: String?
    let help: String
    var mayRepeat = false
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
    var exits: [(code: Int32, meaning: String)] = []
    var examples: [String] = []
    var isHidden = false
    let run: @Sendable (Arguments) throws -> Int32
}

/// Exit codes of sysexits.h, as the commands use them.
enum Exit {
    static let ok: Int32 = 0
    static let usage: Int32 = 64
    static let badData: Int32 = 65
    static let noInput: Int32 = 66
    static let unavailable: Int32 = 69
    static let software: Int32 = 70
    static let cannotCreate: Int32 = 73
    static let io: Int32 = 74
    static let temporary: Int32 = 75
    static let configuration: Int32 = 78
}

/// An error that ends a command with a message on standard error.
struct Failure: Error {
    let code: Int32
    let message: String

    init(_ code: Int32, _ message: String) {
        self.code = code
        self.message = message
    }
}
