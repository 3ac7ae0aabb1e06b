import Privacy

/// Utility over likeness: every candidate, the Pareto front, the base, what ships, and the sharers' own scores.
struct PlanePlot {
    private let record: PrivacyRecord
    private let frame: Frame
    /// The sharers whose scores the right margin has room for.
    private let sharers: [PrivacyRecord.SharerRecord]
    private let front: [PrivacyRecord.CandidateRecord]

    static let mostSharers = 12
    private static let longestName = 7

    init(_ record: PrivacyRecord) {
        self.record = record
        sharers = Array(record.sharers.filter { isDrawable($0.utility) }.prefix(Self.mostSharers))
        let byEvaluation = Dictionary(record.candidates.map { ($0.evaluation, $0) }) { first, _ in first }
        front = record.front.compactMap { byEvaluation[$0] }.filter {
            isDrawable($0.similarity) && isDrawable($0.utility)
        }
        let points = record.candidates.filter { isDrawable($0.similarity) && isDrawable($0.utility) }
        let ends = [record.similarity.before, record.similarity.after]
        let scores = [record.utility.base, record.utility.merged] + sharers.map(\.utility)
        let letters = sharers.map { min(Self.longestName, $0.id.count) }.max() ?? 0
        frame = Frame(
            width: 620, height: 440, right: sharers.isEmpty ? 18 : 36 + Double(letters) * 10, bottom: 86, drop: 25,
            horizontal: Axis(points.map(\.similarity) + ends), vertical: Axis(points.map(\.utility) + scores))
    }

    var svg: String {
        let metrics = shortened(metricSum(record), to: 28)
        var content = frame.axes(
            horizontalTitle: "← less is more private", verticalTitle: "↑ history score (\(metrics))")
        content += text(
            "likeness to the sharers (mean of \(metrics))", x: (frame.left + frame.width - frame.right) / 2,
            y: frame.height - 36, anchor: .middle, style: "name")
        content += frontLine
        content += frame.cloud(others.map(mark), style: "candidate", radius: 3.6)
        content += frame.cloud(front.map(mark), style: "front", radius: front.count > 60 ? 2.6 : 4.4)
        content += sharerTicks + endPoints
        return drawing(
            width: frame.width, height: frame.height, style: "wide",
            label: "History score over likeness to the sharers, one point a candidate", content)
    }

    private var others: [PrivacyRecord.CandidateRecord] {
        let onFront = Set(front.map(\.evaluation))
        return record.candidates.filter { !onFront.contains($0.evaluation) }
    }

    private func mark(_ candidate: PrivacyRecord.CandidateRecord) -> Mark {
        let label = candidate.evaluation == 0 ? "base" : "evaluation \(candidate.evaluation)"
        return Mark(
            x: candidate.similarity, y: candidate.utility,
            title: "\(label): history score \(number(candidate.utility)), likeness \(number(candidate.similarity))")
    }

    /// The best score at no more than each likeness: level until the next point of the front.
    private var frontLine: String {
        guard let first = front.first else { return "" }
        var path = "M\(position(frame.x(first.similarity))),\(position(frame.y(first.utility)))"
        for point in front.dropFirst() {
            path += "H\(position(frame.x(point.similarity)))V\(position(frame.y(point.utility)))"
        }
        return "<path class=\"front-line\" d=\"\(path)\"/>\n"
    }

    /// A sharer's own adapter has a score, but no likeness to be placed by: it stands at the margin.
    private var sharerTicks: String {
        let edge = frame.width - frame.right
        let heights = spread(
            sharers.map { frame.y($0.utility) }, gap: 20, within: frame.top...(frame.height - frame.bottom))
        var svg = ""
        for (sharer, height) in zip(sharers, heights) {
            let at = frame.y(sharer.utility)
            let title = "sharer \(sharer.id) alone: history score \(number(sharer.utility))"
            svg += "<g><title>\(escape(title))</title>"
            svg += "<path class=\"sharer-line\" d=\"M\(position(edge + 11)),\(position(at))"
            svg += "L\(position(edge + 19)),\(position(height))\"/>"
            svg += "<path class=\"sharer\" d=\"M\(position(edge)),\(position(at))l11,-5.5v11z\"/>"
            svg += text(
                shortened(sharer.id, to: Self.longestName), x: edge + 22, y: height + 4, anchor: .start,
                style: "sharer-name")
            svg += "</g>\n"
        }
        return svg
    }

    private var endPoints: String {
        let base = Mark(
            x: record.similarity.before, y: record.utility.base,
            title: "base: history score \(number(record.utility.base)), likeness \(number(record.similarity.before))")
        let chosen = Mark(
            x: record.similarity.after, y: record.utility.merged,
            title: "\(chosenName(record)): history score \(number(record.utility.merged)), "
                + "likeness \(number(record.similarity.after))")
        var svg = ""
        if base.isDrawable {
            let (x, y) = (frame.x(base.x), frame.y(base.y))
            svg += "<rect class=\"base\" x=\"\(position(x - 6))\" y=\"\(position(y - 6))\" width=\"12\" height=\"12\">"
            svg += "<title>\(escape(base.title))</title></rect>"
            let below = !chosen.isDrawable || record.outcome == .base || frame.y(chosen.y) <= y
            svg += label(record.outcome == .base ? "base, ships" : "base", x: x, y: below ? y + 23 : y - 13)
        }
        if chosen.isDrawable, record.outcome == .merged {
            let (x, y) = (frame.x(chosen.x), frame.y(chosen.y))
            svg += "<path class=\"chosen\" d=\"M\(position(x)),\(position(y - 9))l9,9l-9,9l-9,-9z\">"
            svg += "<title>\(escape(chosen.title))</title></path>"
            let above = !base.isDrawable || y <= frame.y(base.y)
            svg += label(chosenName(record), x: x, y: above ? y - 15 : y + 25)
        }
        return svg + "\n"
    }

    private func label(_ words: String, x: Double, y: Double) -> String {
        let right = frame.width - frame.right
        let anchor: Anchor = x > right - 40 ? .end : x < frame.left + 40 ? .start : .middle
        return text(words, x: x, y: y, anchor: anchor, style: "label")
    }
}

/// Moves places apart until neighbours are `gap` away from each other, keeping their order and staying within `limits`
/// as far as there is room.
func spread(_ places: [Double], gap: Double, within limits: ClosedRange<Double>) -> [Double] {
    let order = places.indices.sorted { (places[$0], $0) < (places[$1], $1) }
    var moved = places
    var floor = limits.lowerBound
    for index in order {
        moved[index] = max(places[index], floor)
        floor = moved[index] + gap
    }
    var ceiling = limits.upperBound
    for index in order.reversed() {
        moved[index] = min(moved[index], ceiling)
        ceiling = moved[index] - gap
    }
    return moved
}
