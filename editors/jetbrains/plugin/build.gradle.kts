// Not built by this project's tests: the platform and LSP4IJ come from JetBrains' own repositories.
plugins {
    id("java")
    id("org.jetbrains.intellij.platform") version "2.9.0"
}

group = "dev.redraft"
version = "0.1.0"

repositories {
    mavenCentral()
    intellijPlatform { defaultRepositories() }
}

dependencies {
    intellijPlatform {
        intellijIdeaCommunity("2024.2")
        plugin("com.redhat.devtools.lsp4ij:0.13.0")
    }
}

java { toolchain { languageVersion = JavaLanguageVersion.of(21) } }

intellijPlatform {
    pluginConfiguration {
        ideaVersion { sinceBuild = "242" }
    }
}
