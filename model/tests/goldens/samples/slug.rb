# frozen_string_literal: true

module Slug
  SEPARATOR = "-"

  class << self
    def make(title, limit: 40, taken: [])
      slug = title.downcase.gsub(/[^a-z0-9]+/i, SEPARATOR).gsub(/^-|-$/, "")[0...limit]
      return slug unless taken.include?(slug)

      (2..).each do |n|
        candidate = "#{slug}#{SEPARATOR}#{n}"
        break candidate unless taken.include?(candidate)
      end
    end
  end
end

puts Slug.make("What's new in 2024?", taken: %w[what-s-new-in-2024]) if $PROGRAM_NAME == __FILE__
