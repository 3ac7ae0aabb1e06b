/// The share of predictions with the reference's label.
///
/// As in the authors' code (scikit-learn over numbers, -1 for what is no label), two texts that are both no label
/// agree: a sharer's prediction may be none. A gold answer is a label, since a history's others are left out.
struct Accuracy: Metric {
    static let name = "accuracy"
    static let labelNeed = LabelNeed.any
    private let labels: Labels

    init(labels: [String]) { self.labels = Labels(labels) }

    func value(_ predictions: [String], against references: [String]) -> Double {
        let right = zip(predictions, references).count { labels.number(of: $0) == labels.number(of: $1) }
        return Double(right) / Double(predictions.count)
    }
}
