import Privacy

/// A table that scrolls by itself where the page is too narrow for it. Cells are HTML; the first column is text, the
/// others are figures.
struct Table {
    var head: [String]
    var rows: [[String]] = []
    /// Rows to stand out.
    var marked: Set<Int> = []
    var style = ""

    var html: String {
        var html = "<div class=\"scroll\"><table\(style.isEmpty ? "" : " class=\"\(style)\"")>\n<thead><tr>"
        for cell in head { html += "<th scope=\"col\">\(cell)</th>" }
        html += "</tr></thead>\n<tbody>\n"
        for (index, row) in rows.enumerated() {
            html += marked.contains(index) ? "<tr class=\"marked\">" : "<tr>"
            for (column, cell) in row.enumerated() {
                html += column == 0 ? "<th scope=\"row\">\(cell)</th>" : "<td>\(cell)</td>"
            }
            html += "</tr>\n"
        }
        return html + "</tbody>\n</table></div>\n"
    }
}

func sharerTable(_ record: PrivacyRecord) -> String {
    let heldOut = record.heldOut.flatMap { $0.sharers.count == record.sharers.count ? $0.sharers : nil }
    let isChange = record.outcome == .merged
    var table = Table(head: ["Sharer", "Cosine", "Own score"])
    if heldOut != nil { table.head.append("Held out") }
    table.head += ["Weight", "Likeness of a copy"]
    table.head += isChange ? ["Likeness before → after", "Change"] : ["Likeness"]
    // Narrow screens leave out a last column that follows from the one before it.
    if isChange { table.style = "last-follows" }
    for (index, sharer) in record.sharers.enumerated() {
        let (before, after) = (sharer.similarityBefore, sharer.similarityAfter)
        var row = [name(sharer.id), sharer.cosine.map { number($0) } ?? dash, number(sharer.utility)]
        if let heldOut { row.append(number(heldOut[index])) }
        row += [weightCell(sharer.weights), number(sharer.similarityOfCopy)]
        row += isChange ? [change(before, after), signed(after - before)] : [number(before)]
        table.rows.append(row)
    }
    return table.html
}

private func weightCell(_ weights: [Double]) -> String {
    let known = weights.filter(\.isFinite)
    guard weights.count > 1, let least = known.min(), let most = known.max() else {
        return weights.first.map { signed($0) } ?? dash
    }
    let mean = known.reduce(0) { $0 + $1 / Double(known.count) }
    return "\(signed(mean)) <small>\(signed(least, places: 2)) … \(signed(most, places: 2))</small>"
}

/// By metric, their sum, and the sum on the slice that the search did not see.
func scoreTable(_ record: PrivacyRecord) -> String {
    let utility = record.utility
    var table = Table(head: ["Score", "Base", record.outcome == .merged ? "Merge" : "Ships", "Change"])
    func add(_ title: String, _ base: Double, _ merged: Double) {
        table.rows.append([title, number(base), number(merged), signed(merged - base)])
    }
    for (index, metric) in record.metrics.enumerated() {
        add(
            escape(metric), utility.baseMetrics.indices.contains(index) ? utility.baseMetrics[index] : .nan,
            utility.mergedMetrics.indices.contains(index) ? utility.mergedMetrics[index] : .nan)
    }
    table.marked.insert(table.rows.count)
    add("History score", utility.base, utility.merged)
    if let heldOut = record.heldOut { add("Held-out score", heldOut.base, heldOut.merged) }
    return table.html
}

func alternativesTable(_ record: PrivacyRecord) -> String {
    var table = Table(head: ["Alpha", "Evaluation", "History score", "Likeness"])
    for alternative in record.alternatives {
        if alternative.alpha == record.search.alpha { table.marked.insert(table.rows.count) }
        table.rows.append([
            setting(alternative.alpha), alternative.evaluation == 0 ? "base" : "\(alternative.evaluation)",
            number(alternative.utility), number(alternative.similarity),
        ])
    }
    return table.html
}

/// Everything that identifies the run and makes it repeatable.
func settingsList(_ record: PrivacyRecord) -> String {
    let search = record.search
    let facts = [
        ("User", name(record.user)), ("Job", name(record.job)), ("Task", name(record.task)),
        ("Base", name(record.base)), ("Applies to", "the base as it is"),
        ("Metrics", escape(metricSum(record))), ("History", counted(search.historyItems, "item")),
        ("Optimizer", escape(search.optimizer)), ("Weights", "one per \(escape(search.granularity))"),
        ("Merge", escape(search.merge)), ("Alpha", setting(search.alpha)),
        ("Budget", "\(search.evaluations) of \(search.budget) evaluations"), ("Seed", "<code>\(search.seed)</code>"),
    ]
    let items = facts.map { "<div><dt>\($0.0)</dt><dd>\($0.1)</dd></div>\n" }
    return "<dl>\n\(items.joined())</dl>\n"
}
