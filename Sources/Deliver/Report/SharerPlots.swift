import Privacy

/// Sharers that a plot shows; the table has them all.
let mostPlottedSharers = 40

/// Rows of a plot with one row a sharer, its id on the left.
struct SharerRows {
    static let width = 460.0
    static let left = 108.0
    let sharers: [PrivacyRecord.SharerRecord]
    let rowHeight: Double

    init(_ record: PrivacyRecord, rowHeight: Double) {
        sharers = Array(record.sharers.prefix(mostPlottedSharers))
        self.rowHeight = rowHeight
    }

    var bottom: Double { Double(sharers.count) * rowHeight + 8 }

    func middle(_ row: Int) -> Double { 8 + (Double(row) + 0.5) * rowHeight }

    func label(_ row: Int) -> String {
        let id = sharers[row].id
        return "<g><title>\(escape(id))</title>"
            + text(shortened(id, to: 10), x: Self.left - 14, y: middle(row) + 4, anchor: .end, style: "row") + "</g>"
    }
}

/// Likeness to each sharer, of the base and of what ships.
func likenessPlot(_ record: PrivacyRecord) -> String {
    let rows = SharerRows(record, rowHeight: 34)
    let axis = Axis(rows.sharers.flatMap { [$0.similarityBefore, $0.similarityAfter] } + [0])
    func x(_ value: Double) -> Double {
        SharerRows.left + axis.fraction(value) * (SharerRows.width - SharerRows.left - 20)
    }
    var content = ""
    for tick in axis.ticks {
        content += "<path class=\"grid\" d=\"M\(position(x(tick))),4V\(position(rows.bottom))\"/>"
    }
    content += horizontalTicks(axis, y: rows.bottom, x: x) + "\n"
    for (row, sharer) in rows.sharers.enumerated() {
        let (before, after, y) = (sharer.similarityBefore, sharer.similarityAfter, rows.middle(row))
        content += rows.label(row)
        if isDrawable(before), isDrawable(after) {
            content += "<path class=\"shift\" d=\"M\(position(x(before))),\(position(y))H\(position(x(after)))\"/>"
        }
        if isDrawable(before) {
            content += circle(x: x(before), y: y, radius: 5, style: "before", title: "base: \(number(before))")
        }
        if isDrawable(after), record.outcome == .merged {
            content += circle(
                x: x(after), y: y, radius: 5.5, style: "after", title: "\(chosenName(record)): \(number(after))")
        }
        content += "\n"
    }
    content += text(
        "likeness to the sharer (\(shortened(metricSum(record), to: 24)))", x: (SharerRows.left + SharerRows.width) / 2,
        y: rows.bottom + 44, anchor: .middle, style: "name")
    return drawing(
        width: SharerRows.width, height: rows.bottom + 52, style: "half",
        label: "Likeness to each sharer, of the base and of what ships", content)
}

/// The weights that ship: bars around zero, or a heat strip over the layers.
func weightsPlot(_ record: PrivacyRecord) -> String {
    let layers = record.sharers.map(\.weights.count).max() ?? 0
    return layers > 1 ? weightStrips(record, layers: layers) : weightBars(record)
}

private func weightBars(_ record: PrivacyRecord) -> String {
    let rows = SharerRows(record, rowHeight: 34)
    let most = largestWeight(rows.sharers)
    let axis = Axis([-most, most], intervals: 4)
    let room = 46.0
    func x(_ value: Double) -> Double {
        SharerRows.left + room + axis.fraction(value) * (SharerRows.width - SharerRows.left - 2 * room)
    }
    var content = "<path class=\"axis\" d=\"M\(position(x(0))),4V\(position(rows.bottom))\"/>"
    content += horizontalTicks(axis, y: rows.bottom, x: x) + "\n"
    for (row, sharer) in rows.sharers.enumerated() {
        content += rows.label(row)
        let weight = sharer.weights.first ?? .nan
        let y = rows.middle(row)
        if isDrawable(weight) {
            let (start, end) = (min(x(0), x(weight)), max(x(0), x(weight)))
            content += "<rect class=\"\(weight < 0 ? "negative" : "positive")\" x=\"\(position(start))\" "
            content += "y=\"\(position(y - 8))\" width=\"\(position(end - start))\" height=\"16\"/>"
        }
        let end = isDrawable(weight) ? x(weight) : x(0)
        content += text(
            signed(weight, places: 2), x: weight < 0 ? end - 6 : end + 6, y: y + 4, anchor: weight < 0 ? .end : .start)
        content += "\n"
    }
    content += text("weight", x: x(0), y: rows.bottom + 44, anchor: .middle, style: "name")
    return drawing(
        width: SharerRows.width, height: rows.bottom + 52, style: "half", label: "Weight of each sharer", content)
}

private func weightStrips(_ record: PrivacyRecord, layers: Int) -> String {
    let rows = SharerRows(record, rowHeight: 30)
    let most = largestWeight(rows.sharers)
    let left = SharerRows.left
    let cell = (SharerRows.width - left - 14) / Double(layers)
    var content = ""
    for (row, sharer) in rows.sharers.enumerated() {
        content += rows.label(row)
        for (layer, weight) in sharer.weights.enumerated() where isDrawable(weight) {
            content += swatch(
                weight, of: most, x: left + Double(layer) * cell, y: rows.middle(row) - 12, width: cell, height: 24,
                title: "layer \(layer): \(signed(weight))")
        }
        content += "<rect class=\"strip\" x=\"\(position(left))\" y=\"\(position(rows.middle(row) - 12))\" "
        content += "width=\"\(position(cell * Double(layers)))\" height=\"24\"/>\n"
    }
    let every = max(1, (layers + 7) / 8)
    for layer in stride(from: 0, to: layers, by: every) {
        content += text("\(layer)", x: left + (Double(layer) + 0.5) * cell, y: rows.bottom + 16, anchor: .middle)
    }
    content += text("layer", x: left - 14, y: rows.bottom + 16, anchor: .end, style: "name")
    let key = rows.bottom + 34
    for step in -6...6 {
        content += swatch(
            most * Double(step) / 6, of: most, x: left + 86 + Double(step + 6) * 14, y: key, width: 14, height: 14,
            title: "")
    }
    content += text(number(-most, places: 2), x: left + 78, y: key + 12, anchor: .end)
    content += text(signed(most, places: 2), x: left + 276, y: key + 12, anchor: .start) + "\n"
    return drawing(
        width: SharerRows.width, height: key + 22, style: "half", label: "Weight of each sharer in each layer", content)
}

/// A cell whose hue says the weight's sign and whose strength its size.
private func swatch(
    _ weight: Double, of most: Double, x: Double, y: Double, width: Double, height: Double, title: String
) -> String {
    "<rect class=\"\(weight < 0 ? "negative" : "positive")\" x=\"\(position(x))\" y=\"\(position(y))\" "
        + "width=\"\(position(width))\" height=\"\(position(height))\" "
        + "fill-opacity=\"\(number(min(1, weight.magnitude / most), places: 2))\""
        + (title.isEmpty ? "/>" : "><title>\(escape(title))</title></rect>")
}

private func largestWeight(_ sharers: [PrivacyRecord.SharerRecord]) -> Double {
    let most = sharers.flatMap(\.weights).filter(isDrawable).map(\.magnitude).max() ?? 0
    return most > 0 ? most : 1
}
