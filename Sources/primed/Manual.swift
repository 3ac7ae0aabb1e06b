import JSON
import Manifest

/// `primed manual`
enum Manual {
    static let command = Command(
        name: "manual", summary: "print a manual page for man(1)", operands: "SECTION", operandCount: 1...1,
        description: """
            Prints primed(8), the program, or primed.json5(5), its configuration, as roff: what `primed help` and the \
            configuration's keys say of themselves. The installation puts both where man(1) finds them.
            """,
        exits: [(Exit.ok, "printed")], examples: ["primed manual 8 | man -l -", "primed manual 5 | man -l -"]
    ) { arguments in
        switch arguments.operands[0] {
        case "8": show(program)
        case "5": show(configuration)
        case let other: throw Failure(Exit.usage, "manual: no section \(printable(other)); there are 5 and 8")
        }
        return Exit.ok
    }

    // MARK: - primed(8)

    private static var program: String {
        var page = ManualPage(
            "primed", section: 8, summary: "personalize Llama models for users", version: Primed.version)
        page.section("SYNOPSIS")
        page.literal(["primed COMMAND [OPTION...] [OPERAND...]", "primed help COMMAND", "primed --version"])
        page.section("DESCRIPTION")
        page.paragraphs(
            """
            Gives every user a language model of their own, by evolving a merge of other users' LoRA adapters so that the \
            task's own metric on the user's history is high while predictions stay unlike those of the sharers.

            The daemon, "primed serve", takes job manifests from an inbox, does them in worker processes, one a slot, and \
            publishes a personalized adapter, predictions and a privacy report for each user in an outbox. A manifest \
            that is mistaken is rejected with its place and its mend; nothing that was claimed is lost, whenever the daemon or \
            the machine stops.
            """)
        page.section("COMMANDS")
        for command in Primed.commands where !command.isHidden { add(command, to: &page) }
        page.section("FILES")
        page.entry("/etc/primed/primed.json5", "The configuration, see primed.json5(5).")
        page.entry("/var/lib/primed/inbox", "Where jobs are dropped: NAME.json, or a folder NAME with manifest.json.")
        page.entry("/var/lib/primed/work", "Claimed jobs, and those that are kept for another try. Private.")
        page.entry(
            "/var/lib/primed/outbox/ID", "A job's result. Where its result.json is, all of it is there.")
        page.entry("/etc/primed/nightly", "Manifests that primed-nightly.timer drops every night.")
        page.section("ENVIRONMENT")
        page.entry("PRIMED_CONFIG", "The configuration, where --config does not name it.")
        page.entry(
            "PRIMED_KEY", "A value that goes before the configuration's for that key: PRIMED_SLOTS for slots.")
        page.section("EXIT STATUS")
        page.paragraphs("As in sysexits.h; each command says which of them it has.")
        page.section("SEE ALSO")
        page.paragraphs("primed.json5(5), systemd.unit(5), journalctl(1)")
        return page.text
    }

    private static func add(_ command: Command, to page: inout ManualPage) {
        page.subsection("primed \(command.name)")
        page.literal([Help.usage(command)])
        page.paragraphs(command.description)
        for option in command.options { page.entry(Help.heading(option), Help.text(option)) }
        for file in command.files { page.entry(file.path, file.meaning) }
        page.paragraphs("Exit status:")
        for exit in Help.exits(command) { page.entry("\(exit.code)", exit.meaning) }
        if !command.examples.isEmpty { page.literal(command.examples) }
    }

    // MARK: - primed.json5(5)

    private static var configuration: String {
        var page = ManualPage(
            "primed.json5", section: 5, summary: "configuration of primed(8)", version: Primed.version)
        page.section("DESCRIPTION")
        page.paragraphs(
            """
            One JSON object; comments, trailing commas and keys without quotes are allowed. Every key has a default, and \
            a key that primed does not know is an error. Relative paths are relative to the file's folder. The variable \
            PRIMED_KEY of the environment goes before the file.

            "primed doctor" shows what is in force and why. SIGHUP makes a daemon read the file again; inbox, work and outbox \
            stay what they were until it starts anew, and crash dumps that it forbids stay forbidden.
            """)
        page.section("KEYS")
        for setting in Configuration().settings {
            let value = ["", "none"].contains(setting.value) ? "unset" : setting.value
            page.entry(setting.key, "\(setting.meaning) Default: \(value).")
        }
        page.section("EXAMPLES")
        page.literal([
            "// Two jobs at once, histories of failed ones kept for a day.", "{ slots: 2, keep_failed_days: 1 }",
        ])
        page.section("SEE ALSO")
        page.paragraphs("primed(8)")
        return page.text
    }
}
