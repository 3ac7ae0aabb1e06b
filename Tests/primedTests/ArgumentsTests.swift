import Testing

@testable import primed

@Suite struct ArgumentsTests {
    private let command = Command(
        name: "send", summary: "", description: "",
        options: [
            Option(name: "to", value: "PLACE", help: "", isRequired: true),
            Option(name: "wait", value: nil, help: ""),
            Option(name: "timeout", value: "SECONDS", help: "", needs: "wait"),
        ]
    ) { _ in 0 }

    @Test(arguments: [
        ["--to", "x"], ["--to", "x", "--wait"], ["--timeout", "3", "--to=x", "--wait"], ["--help", "--timeout", "3"],
    ])
    func whatBelongsTogetherIsTaken(_ words: [String]) {
        #expect(throws: Never.self) { try Arguments(words, for: command) }
    }

    @Test(arguments: [
        ([], "send: no --to; give --to PLACE"), (["--wait"], "send: no --to; give --to PLACE"),
        (["--to", "x", "--timeout", "3"], "send: --timeout without --wait; give both or neither"),
        (["--to", "x", "stray", "more"], "send: stray is one operand too many; usage: primed send [options]"),
        (["--wiat"], "send: no option --wiat; did you mean --wait?"),
        (["--verbose=1"], "send: no option --verbose; see primed send --help"),
    ])
    func whatIsMissingIsTold(_ words: [String], _ message: String) {
        #expect {
            try Arguments(words, for: command)
        } throws: {
            ($0 as? Failure)?.code == Exit.usage && ($0 as? Failure)?.message == message
        }
    }
}
