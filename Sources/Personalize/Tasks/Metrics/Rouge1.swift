/// The F-measure of shared words, each as often as both texts have it.
struct Rouge1: Metric {
    static let name = "rouge-1"
    static let labels = LabelNeed.none

    init(labels: [String]) {}

    func value(_ predictions: [String], against references: [String]) -> Double {
        meanRouge(predictions, references) { predicted, asked in
            var left: [Int: Int] = [:]
            for word in asked { left[word, default: 0] += 1 }
            return predicted.count { word in
                guard let count = left[word], count > 0 else { return false }
                left[word] = count - 1
                return true
            }
        }
    }
}
