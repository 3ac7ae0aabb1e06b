import JSON
import Telemetry

/// `primed events`
enum Events {
    static let command = Command(
        name: "events", summary: "list every event that is logged, with its MESSAGE_ID",
        description: """
            Prints a table of the events in primed's logs: level, fields, meaning, and the MESSAGE_ID under which the \
            journal has them. In the journal a field is PRIMED_ and its name in capitals, beside PRIMED_EVENT; in JSON \
            lines and in a job's log.jsonl it has its plain name. No event holds text from a history, a prompt or a \
            prediction.
            """,
        options: [Option(name: "json", value: nil, help: "print one JSON array")],
        exits: [(Exit.ok, "printed")],
        examples: [
            "primed events", "journalctl -u primed -o json PRIMED_EVENT=job-published",
            "journalctl -u primed PRIMED_JOB=nightly-2026-11-20",
        ]
    ) { arguments in
        let rows = EventKind.allCases.map(Row.init)
        show(arguments.has("json") ? try json(rows, pretty: true) : table(rows))
        return Exit.ok
    }

    private struct Row: Encodable {
        let event: String
        let level: String
        let fields: [String]
        let meaning: String
        let messageID: String

        enum CodingKeys: String, CodingKey {
            case event, level, fields, meaning
            case messageID = "message_id"
        }

        init(_ kind: EventKind) {
            event = kind.rawValue
            level = "\(kind.level)"
            fields = kind.fields
            meaning = kind.meaning
            messageID = kind.messageID
        }
    }

    /// In Markdown, which reads well in a terminal, too.
    private static func table(_ rows: [Row]) -> String {
        var text = "| event | level | fields | meaning | MESSAGE_ID |\n|---|---|---|---|---|\n"
        for row in rows {
            let fields = row.fields.joined(separator: ", ")
            text += "| \(row.event) | \(row.level) | \(fields) | \(row.meaning) | \(row.messageID) |\n"
        }
        return text
    }
}
