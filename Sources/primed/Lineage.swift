import JSON
import Posix
import Worker

/// `primed lineage`
enum Lineage {
    static let command = Command(
        name: "lineage", summary: "list the published adapters that a sharer went into",
        description: """
            Reads every result in the outbox and prints the adapters in whose merge the sharer has a weight other than 0, \
            a line each: the adapter's folder, and the weight (one a layer where they differ). To be asked when a sharer \
            withdraws: a pool's member without consent is used for no target that is not begun, and this names what was \
            made before. Targets that were under way publish later: ask again when the jobs that ran then have ended. \
            Results that cannot be read are named on standard error, and so is a sharer whom no result names.
            """,
        options: [
            Site.option,
            Option(
                name: "sharer", value: "ID", help: "the sharer, as the pool or the manifest names it", isRequired: true),
            Option(name: "pool", value: "NAME", help: "only adapters made from this pool"),
            Option(name: "json", value: nil, help: "print one JSON array"),
        ],
        exits: [
            (Exit.ok, "the list is whole, empty or not"),
            (Exit.io, "results could not be read: something may be missing"),
        ],
        examples: ["primed lineage --sharer 207", "primed lineage --sharer 207 --pool package_section --json"]
    ) { arguments in
        let site = try Site(arguments)
        let lineage = try Worker.Lineage(
            of: arguments.required("sharer"), pool: arguments.text("pool"), outbox: site.folders.outbox)
        if arguments.has("json") {
            show(try json(lineage.descendants, pretty: true))
        } else {
            for each in lineage.descendants {
                show("\(each.adapter)  \(each.weights.map { fixed($0, 4) }.joined(separator: " "))\n")
            }
        }
        if !lineage.isNamed {
            let pool = arguments.text("pool").map { " of the pool \(printable($0))" } ?? ""
            let sharer = printable(arguments.required("sharer"))
            complain("no result in \(site.configuration.outbox) names the sharer \(sharer)\(pool)")
        }
        for path in lineage.unreadable { complain("\(printable(path)) cannot be read as a result") }
        return lineage.unreadable.isEmpty ? Exit.ok : Exit.io
    }
}
