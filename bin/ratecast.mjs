#!/usr/bin/env node
import "../src/Main.ts"
