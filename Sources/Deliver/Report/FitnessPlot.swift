import Privacy

/// Fitness over evaluations: every candidate, the best so far, and the base's as a line to beat.
struct FitnessPlot {
    private let record: PrivacyRecord
    private let frame: Frame
    /// Candidates after the base, by evaluation.
    private let steps: [PrivacyRecord.CandidateRecord]
    private let base: PrivacyRecord.CandidateRecord?

    init(_ record: PrivacyRecord) {
        self.record = record
        let drawable = record.candidates.filter { isDrawable($0.fitness) }
        base = drawable.first { $0.evaluation == 0 }
        steps = drawable.filter { $0.evaluation != 0 }
        frame = Frame(
            width: 460, height: 320,
            horizontal: Axis([0, 1] + record.candidates.map { Double($0.evaluation) }, intervals: 5),
            vertical: Axis(drawable.map(\.fitness)))
    }

    var svg: String {
        var content = frame.axes(horizontalTitle: "evaluation", verticalTitle: "↑ fitness")
        if let base {
            let at = position(frame.y(base.fitness))
            content += "<path class=\"base-line\" d=\"M\(position(frame.left)),\(at)"
            content += "H\(position(frame.width - frame.right))\"/>\n"
        }
        content += frame.cloud(steps.map(mark), style: "candidate", radius: 3.2)
        content += bestSoFar
        if let base {
            content += text(
                "base", x: frame.width - frame.right - 4, y: frame.y(base.fitness) + 15, anchor: .end, style: "label")
        }
        return drawing(
            width: frame.width, height: frame.height, style: "half",
            label: "Fitness by evaluation, and the best so far", content)
    }

    private func mark(_ candidate: PrivacyRecord.CandidateRecord) -> Mark {
        Mark(
            x: Double(candidate.evaluation), y: candidate.fitness,
            title: "evaluation \(candidate.evaluation), generation \(candidate.generation): "
                + "fitness \(number(candidate.fitness))")
    }

    private var bestSoFar: String {
        guard let first = steps.first, let last = steps.last else { return "" }
        var best = first.fitness
        var path = "M\(position(frame.x(Double(first.evaluation)))),\(position(frame.y(best)))"
        for step in steps.dropFirst() where step.fitness > best {
            best = step.fitness
            path += "H\(position(frame.x(Double(step.evaluation))))V\(position(frame.y(best)))"
        }
        path += "H\(position(frame.x(Double(last.evaluation))))"
        return "<path class=\"best-line\" d=\"\(path)\"/>\n"
    }
}
