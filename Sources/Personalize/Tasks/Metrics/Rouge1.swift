/// The F-measure of shared words, each as often as both texts have it.
struct Rouge1: Metric {
    static let name = "rouge-1"
    static let labelNeed = LabelNeed.none

    init(labels: [String]) {}

    func value(_ predictions: [String], against references: [String]) -> Double {
        meanRouge(predictions, references) { predicted, asked in
            let predicted = predicted.sorted()
            var count = 0
            var at = 0
            for word in asked.sorted() {
                while at < predicted.count, predicted[at] < word { at += 1 }
                if at < predicted.count, predicted[at] == word {
                    count += 1
                    at += 1
                }
            }
            return count
        }
    }
}
