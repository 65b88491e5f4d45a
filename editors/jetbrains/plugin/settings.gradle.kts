rootProject.name = "redraft-intellij"
