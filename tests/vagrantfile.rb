# Prints as JSON what Vagrant's own loader makes of a Vagrantfile: vagrantfile.rb FOLDER. VAGRANT_HOME must be set.
require "json"
require "vagrant"

PROVIDERS = [:libvirt, :virtualbox]

def provisioner(one)
  keys = { shell: [:path, :args], file: [:source, :destination] }.fetch(one.type, [])
  { type: one.type, **keys.to_h { |key| [key, one.config.send(key)] } }
end

def machine(config, provider)
  own = config.vm.get_provider_config(provider)
  {
    box: config.vm.box,
    hostname: config.vm.hostname,
    networks: config.vm.networks.filter_map { |kind, options| options if kind == :private_network },
    folders: config.vm.synced_folders.values.reject { |folder| folder[:disabled] },
    provisioners: config.vm.provisioners.map { |one| provisioner(one) },
    memory: provider == :libvirt ? own.memory : nil,
    disks: provider == :libvirt ? own.disks : nil,
    commands: provider == :virtualbox ? own.customizations.map(&:last) : nil,
  }
end

local = File.join(ENV.fetch("VAGRANT_HOME"), "local")
environment = Vagrant::Environment.new(cwd: ARGV.fetch(0), local_data_path: local)
machines = PROVIDERS.to_h do |provider|
  [provider, environment.machine_names.to_h do |name|
    # Not validated: the provider itself need not be installed.
    config = environment.vagrantfile.machine_config(name, provider, nil, nil, false).fetch(:config)
    [name, machine(config, provider)]
  end]
end
puts JSON.generate(machines)
