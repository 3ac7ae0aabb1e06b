extension TaskDefinition {
    /// LaMP-2N: which of 15 categories a journalist files an article under.
    ///
    /// PriME's own code has no prompts for it; these are those of OPPU (Tan et al. 2024), from which its code descends.
    static let newsCategorize = TaskDefinition(
        name: "news_categorize", lampID: "LaMP_2N",
        kind: .classification(labels: [
            "food & drink", "sports", "education", "parents", "religion", "travel", "business", "crime",
            "science & technology", "culture & arts", "entertainment", "politics", "women",
            "style & beauty", "healthy living",
        ]),
        metrics: [Accuracy.self, MacroF1.self],
        history: HistoryForm(
            prompt: """
                Which category does this article relate to among the following categories? Just answer with the \
                category name without further explanation. categories: [travel, education, parents, style & beauty, \
                entertainment, food & drink, science & technology, business, sports, healthy living, women, politics, \
                crime, culture & arts, religion]
                 article: {text} category:
                """,
            answer: " {category}"),
        retrieval: Retrieval(
            document: "article: {text} category: {category}\n",
            query: """
                Which category does this article relate to among the following categories? arcicle: {text}
                """,
            isDefault: false),
        query: QueryForm(
            prompt: """
                Which category does this article relate to among the following categories? Just answer with the \
                category name without further explanation. categories: [travel, education, parents, style & beauty, \
                entertainment, food & drink, science & technology, business, sports, healthy living, women, politics, \
                crime, culture & arts, religion]
                 article: {} category:
                """,
            parts: [.after("] article: ")]))
}
