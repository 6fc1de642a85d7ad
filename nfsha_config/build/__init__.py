"""From a site to packages in a signed apt repository; runs on a build host only."""
