extension TaskDefinition {
    /// LaMP-2M: which of 15 tags a user gives to a movie.
    static let movieTagging = TaskDefinition(
        name: "movie_tagging", lampID: "LaMP_2M",
        kind: .classification(labels: [
            "sci-fi", "based on a book", "comedy", "action", "twist ending", "dystopia", "dark comedy",
            "classic", "psychology", "fantasy", "romance", "thought-provoking", "social commentary",
            "violence", "true story",
        ]),
        metrics: [Accuracy.self, MacroF1.self],
        history: HistoryForm(
            prompt: """
                ### User Instruction:
                Which tag does this movie relate to among the following tags? Just answer with the tag name without \
                further explanation. tags: [sci-fi, based on a book, comedy, action, twist ending, dystopia, dark \
                comedy, classic, psychology, fantasy, romance, thought-provoking, social commentary, violence, true \
                story]
                Description: {description} Tag:
                """,
            answer: " {tag}"),
        retrieval: Retrieval(
            document: "Description: {description} Tag: {tag}\n",
            query: """
                Which tag does this movie relate to among the following tags? Just answer with the tag name without \
                further explanation.
                 Description: {description}
                """,
            isDefault: true),
        query: QueryForm(
            prompt: """
                ### User Instruction:
                Which tag does this movie relate to among the following tags? Just answer with the tag name without \
                further explanation. tags: [sci-fi, based on a book, comedy, action, twist ending, dystopia, dark \
                comedy, classic, psychology, fantasy, romance, thought-provoking, social commentary, violence, true \
                story]
                Description: {} Tag:
                """,
            parts: [.after("] description: ")]))
}
